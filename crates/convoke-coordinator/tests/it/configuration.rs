//! The configuration file.

use convoke_coordinator::Configuration;

#[test]
fn lavas_file_is_understood_and_unknown_keys_are_ignored() {
    let text = r#"{"port": 3080, "blocksize": 4096, "poll_delay": 3, "coordinator_hostname": "localhost", "new": []}"#;
    let read = Configuration::read(text).unwrap();
    assert_eq!(read, Configuration { port: Some(3080), ..Configuration::default() });
    assert_eq!(Configuration::read("{}").unwrap(), Configuration::default());
}

#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    for (text, expected) in [
        ("{\n  \"port\": 3079,,\n}", "2:16: the configuration cannot be read: key must be a string"),
        (
            "{\n \"port\": \"3079\"\n}",
            "2:15: the configuration cannot be read: invalid type: string \"3079\", expected u16",
        ),
        ("", "1:1: the configuration cannot be read: EOF while parsing a value"),
    ] {
        assert_eq!(Configuration::read(text).unwrap_err().to_string(), expected);
    }
}
