//! The configuration file.

use convoke_coordinator::Configuration;

#[test]
fn lavas_file_is_understood_and_unknown_keys_are_ignored() {
    let text = r#"{"port": 3080, "blocksize": 4096, "poll_delay": 3, "coordinator_hostname": "localhost", "new": []}"#;
    let read = Configuration::read(text).unwrap();
    assert_eq!(read, Configuration { port: Some(3080), ..Configuration::default() });
    assert_eq!(Configuration::read("{}").unwrap(), Configuration::default());
    // They may be misspelt, so they can be told.
    assert_eq!(Configuration::unknown_keys(text), ["new"]);
}

#[test]
fn what_is_wrong_is_said_with_line_and_column() {
    for (text, expected) in [
        ("{\n  \"port\": 3079,,\n}", "2:16: the configuration cannot be read: key must be a string"),
        (
            "{\n \"port\": \"3079\"\n}",
            "2:15: the configuration cannot be read: invalid type: string \"3079\", expected u16",
        ),
        (
            "{\"max_connections\": 0}",
            "1:21: the configuration cannot be read: invalid value: integer `0`, expected a nonzero usize",
        ),
        ("", "1:1: the configuration cannot be read: EOF while parsing a value"),
    ] {
        assert_eq!(Configuration::read(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn every_limit_can_be_configured() {
    let text = r#"{"max_request_bytes": 1, "max_connections": 2, "max_connections_per_address": 3, "max_group_members": 4,
        "max_group_ids": 5, "max_group_bytes": 6, "max_idle_connections": 7, "idle_seconds": 8, "request_seconds": 9,
        "max_groups_per_address": 10, "keep_idle_hours": 48}"#;
    let settings = Configuration::read(text).unwrap().settings();
    let connections = (settings.connections, settings.connections_per_address, settings.idle_connections);
    assert_eq!((settings.request_bytes, connections), (1, (2, 3, 7)));
    assert_eq!((settings.group.members, settings.group.ids, settings.group.bytes), (4, 5, 6));
    assert_eq!((settings.idle_time.as_secs(), settings.request_time.as_secs()), (8, 9));
    assert_eq!((settings.groups_per_address, settings.expiry.keep.as_secs()), (10, 48 * 3600));
}
