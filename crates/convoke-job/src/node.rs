//! The spanned tree a document is read into, whatever its syntax (YAML 1.1 or JSON).

use crate::source::Span;

/// A value with its place in the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands. For an alias: where the alias stands.
    pub span: Span,
    /// The value.
    pub kind: NodeKind,
}

/// What a [`Node`] holds. Scalars are already resolved as YAML 1.1 does.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// `null`, `~`, or nothing.
    Null,
    /// `yes`, `off`, `true`, …
    Bool(bool),
    /// Decimal, octal, hexadecimal, binary or sexagesimal.
    Int(i128),
    /// A float, sexagesimal included.
    Float(f64),
    /// Text. A date is kept as its text with `NodeKind::Date`.
    Text(String),
    /// A plain scalar that YAML 1.1 reads as a date or time stamp; the text as written.
    Date(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in document order; duplicates already resolved (the last one won and keeps the first one's place).
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Where the key stands.
    pub span: Span,
    /// The key as text; a non-text key is rendered as its plain YAML form.
    pub text: String,
    /// Whether the key was text in the document (an integer or boolean key is not).
    pub is_text: bool,
}

impl Node {
    /// The value under `key`, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value under `key`.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        self.as_map()?.iter().find(|(name, _)| name.text == key).map(|(name, value)| (name, value))
    }

    /// The entries, when this is a mapping.
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, when this is a sequence.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, when this is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, when this is one.
    pub fn as_int(&self) -> Option<i128> {
        match &self.kind {
            NodeKind::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            NodeKind::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// What it is, for messages: `a mapping`, `the integer 3`, `the string "x"` …
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null => "nothing".into(),
            NodeKind::Bool(value) => format!("the boolean {value}"),
            NodeKind::Int(number) => format!("the integer {number}"),
            NodeKind::Float(number) => format!("the number {number}"),
            NodeKind::Text(text) if text.chars().count() > 40 => "a long string".into(),
            NodeKind::Text(text) => format!("the string {text:?}"),
            NodeKind::Date(text) => format!("the date {text}"),
            NodeKind::List(_) => "a list".into(),
            NodeKind::Map(_) => "a mapping".into(),
        }
    }

    /// The tree of a plain value; it stands nowhere in a document.
    pub fn from_value(value: &serde_json::Value) -> Node {
        use serde_json::Value;
        let kind = match value {
            Value::Null => NodeKind::Null,
            Value::Bool(value) => NodeKind::Bool(*value),
            Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => NodeKind::Int(number.into()),
                (None, Some(number)) => NodeKind::Int(number.into()),
                (None, None) => NodeKind::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => NodeKind::Text(text.clone()),
            Value::Array(items) => NodeKind::List(items.iter().map(Node::from_value).collect()),
            Value::Object(entries) => NodeKind::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let key = Key { span: Span::default(), text: key.clone(), is_text: true };
                        (key, Node::from_value(value))
                    })
                    .collect(),
            ),
        };
        Node { span: Span::default(), kind }
    }

    /// The plain value without spans; key order kept, floats that JSON lacks become text.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Int(number) => i64::try_from(*number)
                .map(Value::from)
                .or_else(|_| u64::try_from(*number).map(Value::from))
                .unwrap_or_else(|_| Value::String(number.to_string())),
            NodeKind::Float(number) => {
                serde_json::Number::from_f64(*number).map_or_else(|| Value::String(number.to_string()), Value::Number)
            }
            NodeKind::Text(text) | NodeKind::Date(text) => Value::String(text.clone()),
            NodeKind::List(items) => items.iter().map(Node::to_value).collect(),
            NodeKind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.text.clone(), value.to_value())).collect())
            }
        }
    }
}
