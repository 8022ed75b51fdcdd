//! JSON as RFC 8259 has it, read into the spanned tree.
//!
//! Commas too many are reported and read over; at anything else that is not JSON reading stops, because what follows
//! would only be guesswork. Depth and size are bounded, so no input overflows the stack.

mod scalars;

use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, NodeKind};
use crate::source::{Source, Span};

/// How deep lists and objects may nest.
const DEEPEST: usize = 100;
/// How large a document may be, in bytes.
const LARGEST: usize = 1 << 20;
const CODE: &str = "legacy.json-syntax";

/// The value of the document, and what is wrong with it. There is no value when there is an error that reading could not
/// go on after.
pub fn parse(source: &Source) -> (Option<Node>, Vec<Diagnostic>) {
    let text = source.text();
    let mut reader = Reader { source, text, at: 0, depth: 0, findings: Vec::new() };
    if text.len() > LARGEST {
        let size = format!("the document has {} bytes; at most {LARGEST} are read", text.len());
        return (None, vec![Diagnostic::error(CODE, "", Span::new(0, 0), size)]);
    }
    if text.starts_with('\u{feff}') {
        reader.at = '\u{feff}'.len_utf8();
    }
    let value = reader.document();
    let mut findings = reader.findings;
    match value {
        Ok(node) => (Some(node), findings),
        Err(error) => {
            findings.push(*error);
            (None, findings)
        }
    }
}

type Read<T> = Result<T, Box<Diagnostic>>;

struct Reader<'a> {
    source: &'a Source,
    text: &'a str,
    at: usize,
    depth: usize,
    findings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn document(&mut self) -> Read<Node> {
        self.space();
        if self.peek().is_none() {
            return Err(self.error("the document is empty").help("give a JSON object").into());
        }
        let root = self.value()?;
        self.space();
        if let Some(found) = self.peek() {
            let error = self.error(format!("the document goes on with {} after its end", shown(found)));
            return Err(error.also(root.span, "the document").help("remove what follows the last bracket").into());
        }
        Ok(root)
    }

    fn value(&mut self) -> Read<Node> {
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.nested(Self::object)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => NodeKind::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(found) if found.is_alphabetic() => self.word()?,
            Some('\'') => {
                return Err(self.error("strings stand in double quotes").help("write \" instead of '").into());
            }
            Some('#' | '/') => return Err(self.comment()),
            Some(found) => return Err(self.error(format!("expected a value, found {}", shown(found))).into()),
            None => return Err(self.ended()),
        };
        Ok(Node { span: Span::new(start, self.at), kind })
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<NodeKind>) -> Read<NodeKind> {
        if self.depth == DEEPEST {
            return Err(self.error(format!("lists and objects nest deeper than {DEEPEST}")).into());
        }
        self.depth += 1;
        let kind = read(self);
        self.depth -= 1;
        kind
    }

    fn object(&mut self) -> Read<NodeKind> {
        let open = self.bump();
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut comma = None;
        loop {
            self.space();
            if self.closes('}', open, comma)? {
                return Ok(NodeKind::Map(entries));
            }
            self.separated(comma, entries.is_empty(), "object")?;
            let start = self.at;
            if self.peek() != Some('"') {
                let error = self.error(format!("expected a key in double quotes, found {}", self.found()));
                return Err(error.help("keys are strings: \"timeout\": 900").into());
            }
            let text = self.string()?;
            let key = Key { span: Span::new(start, self.at), text, is_text: true };
            self.space();
            if self.peek() != Some(':') {
                let error = self.error(format!("expected `:` after the key \"{}\", found {}", key.text, self.found()));
                return Err(error.also(key.span, "the key").into());
            }
            self.bump();
            self.space();
            let value = self.value()?;
            self.enter(&mut entries, key, value);
            comma = self.comma();
        }
    }

    fn list(&mut self) -> Read<NodeKind> {
        let open = self.bump();
        let mut items = Vec::new();
        let mut comma = None;
        loop {
            self.space();
            if self.closes(']', open, comma)? {
                return Ok(NodeKind::List(items));
            }
            self.separated(comma, items.is_empty(), "list")?;
            items.push(self.value()?);
            comma = self.comma();
        }
    }

    /// The last of two equal keys wins and keeps the first one's place, as in YAML.
    fn enter(&mut self, entries: &mut Vec<(Key, Node)>, key: Key, value: Node) {
        match entries.iter_mut().find(|(known, _)| known.text == key.text) {
            Some((known, old)) => {
                let message = format!("the key \"{}\" stands here twice; the last one counts", key.text);
                let finding = Diagnostic::warning("legacy.duplicate-key", key.text.clone(), key.span, message);
                self.findings.push(finding.at("this one counts").also(known.span, "this one is ignored"));
                (*known, *old) = (key, value);
            }
            None => entries.push((key, value)),
        }
    }

    /// Whether the bracket closes here; a wrong closing bracket is an error, a comma before it a finding.
    fn closes(&mut self, with: char, open: usize, comma: Option<usize>) -> Read<bool> {
        let what = if with == ']' { "list" } else { "object" };
        match self.peek() {
            Some(found) if found == with => {
                if let Some(comma) = comma {
                    let message = format!("a comma before the end of the {what}");
                    let finding = Diagnostic::error(CODE, "", Span::new(comma, comma + 1), message);
                    self.findings.push(finding.help("remove the comma"));
                }
                self.bump();
                Ok(true)
            }
            Some(found @ (']' | '}')) => {
                let line = self.source.position(open).line;
                let error = self.error(format!("the {what} opened in line {line} is closed with `{found}`"));
                let error = error.at(format!("`{with}` belongs here")).also(Span::new(open, open + 1), "opened here");
                Err(error.help(format!("write `{with}`, or remove `{found}` if the {what} goes on")).into())
            }
            Some(_) => Ok(false),
            None => {
                let line = self.source.position(open).line;
                let error = self.error(format!("the text ends inside the {what} opened in line {line}"));
                let error = error.also(Span::new(open, open + 1), "opened here");
                Err(error.help(format!("close it with `{with}`")).into())
            }
        }
    }

    fn separated(&self, comma: Option<usize>, first: bool, what: &str) -> Read<()> {
        if first || comma.is_some() {
            return Ok(());
        }
        if let Some('#' | '/') = self.peek() {
            return Err(self.comment());
        }
        let error = self.error(format!("expected `,` or the end of the {what}, found {}", self.found()));
        Err(error.help("put a comma between two entries").into())
    }

    /// Steps over a comma and says where it was; further commas are findings.
    fn comma(&mut self) -> Option<usize> {
        let mut first = None;
        loop {
            self.space();
            if self.peek() != Some(',') {
                return first;
            }
            if first.is_some() {
                let finding = self.error("two commas in a row").help("remove one");
                self.findings.push(finding);
            }
            first = Some(self.bump());
        }
    }

    fn comment(&self) -> Box<Diagnostic> {
        self.error("JSON has no comments").help("remove the comment").into()
    }

    fn ended(&self) -> Box<Diagnostic> {
        self.error("the text ends where a value is expected").into()
    }

    fn error(&self, message: impl Into<String>) -> Diagnostic {
        let end = self.at + self.peek().map_or(0, char::len_utf8);
        Diagnostic::error(CODE, "", Span::new(self.at, end), message)
    }

    fn found(&self) -> String {
        self.peek().map_or_else(|| "the end of the text".to_owned(), shown)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Steps over one character and says where it was.
    fn bump(&mut self) -> usize {
        let at = self.at;
        self.at += self.peek().map_or(0, char::len_utf8);
        at
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }
}

fn shown(found: char) -> String {
    if found.is_control() { format!("a control character ({:#04x})", found as u32) } else { format!("`{found}`") }
}
