//! YAML in block style that readers of YAML 1.1 and 1.2 understand alike: whatever could be taken for something other
//! than text is quoted.

use serde_json::Value;

use crate::model::{plain_number, quote};

/// A mapping or a list as a document.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, false, &mut out);
    out
}

/// `inline`: the cursor stands behind `- ` or `key:`, and not at the beginning of a line.
fn block(value: &Value, indent: usize, inline: bool, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 || !inline {
                    out.push_str(&" ".repeat(indent));
                }
                scalar(key, out);
                out.push(':');
                below(item, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        out.push(' ');
                        block(item, indent + 2, true, out);
                    }
                    _ => below(item, indent, out),
                }
            }
        }
        _ => {
            leaf(value, out);
            out.push('\n');
        }
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    let nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(value, indent + 2, false, out);
    } else {
        out.push(' ');
        leaf(value, out);
        out.push('\n');
    }
}

fn leaf(value: &Value, out: &mut String) {
    match value {
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(text) => scalar(text, out),
        Value::Number(number) => out.push_str(&plain_number(number)),
        Value::Null | Value::Bool(_) => out.push_str(&value.to_string()),
    }
}

fn scalar(text: &str, out: &mut String) {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+() ".contains(&byte))
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        out.push_str(text);
    } else {
        quote(text, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_could_be_something_else_is_quoted() {
        let value = json!({
            "on": ["yes", "0755", "12:30", "a: b", "#x", "- y", "", " x", "a b", "1e3", "~", "x\n\u{85}y"],
            "map": {"empty": {}, "list": [], "deep": [{"a": 1, "b": [true, null]}, [1, [2]]]},
            "n": 1e21, "f": 0.5,
        });
        insta::assert_snapshot!(document(&value));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "[a-z:# -]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_reader_gives_it_back(value in values()) {
            let text = document(&json!({ "document": value }));
            let back: Value = serde_saphyr::from_str(&text).expect(&text);
            prop_assert_eq!(&back["document"], &value, "{}", text);
        }
    }
}
