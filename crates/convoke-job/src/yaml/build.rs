//! From parser events to the tree, with a stack of its own: nesting in the document is no recursion here.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Marks, Tag};

use super::{Limits, keys, places, scalar, tags};
use crate::diagnostic::Diagnostic;
use crate::node::{Key, Node, NodeKind};
use crate::source::Span;

/// Reads one document.
pub(super) struct Builder<'text> {
    text: &'text str,
    limits: Limits,
    /// Byte offset of each character, when they differ.
    offsets: Option<Vec<usize>>,
    findings: Vec<Diagnostic>,
    /// Open collections, the root first.
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    root: Option<Node>,
}

/// A collection being read.
struct Open {
    start: usize,
    end: usize,
    anchor: usize,
    /// Levels below and including this one.
    height: usize,
    nodes: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, merged: Vec<(Key, Node)>, pending: Option<PendingKey> },
}

enum PendingKey {
    Plain(Key),
    Merge,
    /// Already reported; its value is dropped.
    Bad,
}

/// A value an alias may stand for.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

/// A finished value on its way into its parent.
struct Done {
    node: Node,
    /// The value is a plain `<<`.
    merge: bool,
    /// How a key of this value is written; `None` for collections.
    written: Option<String>,
    nodes: usize,
    height: usize,
}

/// Reading cannot go on.
struct Stop(Diagnostic);

impl<'text> Builder<'text> {
    pub(super) fn new(text: &'text str, limits: Limits) -> Self {
        let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).chain([text.len()]).collect());
        Builder {
            text,
            limits,
            offsets,
            findings: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
        }
    }

    pub(super) fn run(mut self) -> (Option<Node>, Vec<Diagnostic>) {
        if let Err(Stop(finding)) = self.read() {
            self.findings.push(finding);
            return (None, self.findings);
        }
        match self.root.take() {
            Some(node) if matches!(node.kind, NodeKind::Map(_)) => {
                places::fill(&node, &mut self.findings);
                (Some(node), self.findings)
            }
            Some(Node { kind: NodeKind::Null, .. }) | None => {
                let finding = Diagnostic::error("yaml.empty", "", Span::default(), "the document is empty")
                    .help("a document is a mapping of keys to values");
                self.findings.push(finding);
                (None, self.findings)
            }
            Some(node) => {
                let message = format!("a mapping is expected at the root, got {}", node.describe());
                let finding = Diagnostic::error("yaml.root", "", node.span, message)
                    .help("a document is a mapping of keys to values");
                self.findings.push(finding);
                (None, self.findings)
            }
        }
    }

    fn read(&mut self) -> Result<(), Stop> {
        let mut parser = Parser::new_from_str(self.text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, marks) = event.map_err(|error| self.syntax(&error))?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let finding = Diagnostic::error(
                            "yaml.documents",
                            "",
                            self.span(marks),
                            "a second document starts here, one is expected",
                        )
                        .help("remove the `---` line, or put each document into a file of its own");
                        return Err(Stop(finding));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, marks)?,
                Event::SequenceStart(anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "seq", marks);
                    self.begin(OpenKind::List(Vec::new()), anchor, marks)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "map", marks);
                    let kind = OpenKind::Map { entries: Vec::new(), merged: Vec::new(), pending: None };
                    self.begin(kind, anchor, marks)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.finish(marks)?,
                Event::Alias(anchor) => self.alias(anchor, marks)?,
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            }
        }
        Ok(())
    }

    fn offset(&self, index: usize) -> usize {
        match &self.offsets {
            Some(offsets) => offsets.get(index).copied().unwrap_or(self.text.len()),
            None => index.min(self.text.len()),
        }
    }

    fn span(&self, marks: Marks) -> Span {
        Span::new(self.offset(marks.start.index()), self.offset(marks.end.index()))
    }

    fn syntax(&self, error: &ScanError) -> Stop {
        let at = self.offset(error.marker().index());
        let (line, column) = (error.marker().line(), error.marker().col() + 1);
        let info = error.info().trim();
        // The scanner may stop at the end of the line before, or after it.
        let line_at = self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let indents = self.text[line_at..].split_inclusive('\n').scan(line_at, |start, line| {
            let indent = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
            *start += line.len();
            Some(indent.find('\t').map(|tab| Span::new(*start - line.len() + tab, *start - line.len() + indent.len())))
        });
        if let Some(tab) = indents.take(2).flatten().next() {
            let finding = Diagnostic::error("yaml.syntax", "", tab, format!("line {line}, column {column}: {info}"));
            return Stop(finding.help("YAML is indented with blanks: replace this tab"));
        }
        let help = if info.contains("recursion") || info.contains("nest") {
            return self.too_deep(Span::new(at, at));
        } else if self.text[..at].lines().next_back().is_some_and(|line| line.contains('\t')) {
            "YAML is indented with blanks, not with tabs"
        } else {
            "check the indentation of this line against the lines above, and quotes and brackets left open"
        };
        Stop(
            Diagnostic::error("yaml.syntax", "", self.line_from(at), format!("line {line}, column {column}: {info}"))
                .help(help),
        )
    }

    /// From `at` to the end of its line, so that there is something to point at.
    fn line_from(&self, at: usize) -> Span {
        let length = self.text[at..].find('\n').unwrap_or(self.text.len() - at);
        Span::new(at, at + self.text[at..at + length].trim_end().len())
    }

    fn too_deep(&self, span: Span) -> Stop {
        let message = format!("values are nested deeper than {} levels", self.limits.depth);
        Stop(Diagnostic::error("yaml.nesting", "", span, message).help("no job needs that: is this the right file?"))
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= self.limits.nodes {
            return Ok(());
        }
        let message = format!("the document has more than {} values when its aliases are expanded", self.limits.nodes);
        Err(Stop(Diagnostic::error("yaml.nodes", "", span, message).help("use fewer aliases, or split the file")))
    }

    fn begin(&mut self, kind: OpenKind, anchor: usize, marks: Marks) -> Result<(), Stop> {
        let span = self.span(marks);
        if self.open.len() >= self.limits.depth {
            return Err(self.too_deep(span));
        }
        self.count(1, span)?;
        self.open.push(Open { start: span.start, end: span.end, anchor, height: 1, nodes: 1, kind });
        Ok(())
    }

    fn finish(&mut self, marks: Marks) -> Result<(), Stop> {
        let end = self.span(marks);
        let Some(open) = self.open.pop() else { return Ok(()) };
        // The end of a block collection is found on a later line; the collection ends with its last value.
        let end = if end.end > end.start { end.end } else { open.end };
        let kind = match open.kind {
            OpenKind::List(items) => NodeKind::List(items),
            OpenKind::Map { entries, merged, .. } => NodeKind::Map(keys::settle(entries, merged, &mut self.findings)),
        };
        let node = Node { span: Span::new(open.start, end), kind };
        self.anchor(open.anchor, &node, open.nodes, open.height)?;
        self.place(Done { node, merge: false, written: None, nodes: open.nodes, height: open.height })
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        marks: Marks,
    ) -> Result<(), Stop> {
        let span = self.span(marks);
        self.count(1, span)?;
        let plain = style == ScalarStyle::Plain;
        let kind = match tag.as_deref().map(tags::full) {
            None if plain => scalar::resolve(text),
            None => NodeKind::Text(text.to_owned()),
            Some(tag) if tag == "!" => NodeKind::Text(text.to_owned()),
            Some(tag) => match tags::core(&tag).and_then(|tag| scalar::resolve_as(tag, text)) {
                Some(kind) => kind,
                None => {
                    self.findings.push(tags::bad(&tag, span));
                    NodeKind::Text(text.to_owned())
                }
            },
        };
        let node = Node { span, kind };
        self.anchor(anchor, &node, 1, 1)?;
        let merge = plain && text == "<<";
        self.place(Done { node, merge, written: Some(text.to_owned()), nodes: 1, height: 1 })
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expected: &str, marks: Marks) {
        let Some(tag) = tag.map(tags::full) else { return };
        if tag != "!" && tags::core(&tag) != Some(expected) {
            let span = self.span(marks);
            self.findings.push(tags::bad(&tag, span));
        }
    }

    fn anchor(&mut self, anchor: usize, node: &Node, nodes: usize, height: usize) -> Result<(), Stop> {
        if anchor > 0 {
            // The copy kept for aliases counts too: anchors nested in anchors must not multiply.
            self.count(nodes, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, height });
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, marks: Marks) -> Result<(), Stop> {
        let span = self.span(marks);
        let Some((nodes, height)) = self.anchors.get(&anchor).map(|anchored| (anchored.nodes, anchored.height)) else {
            let finding = Diagnostic::error("yaml.syntax", "", span, "this alias stands inside the value it names")
                .help("write the value out");
            return Err(Stop(finding));
        };
        self.count(nodes, span)?;
        if self.open.len() + height > self.limits.depth {
            return Err(self.too_deep(span));
        }
        let Some(anchored) = self.anchors.get(&anchor) else { return Ok(()) };
        let mut node = anchored.node.clone();
        node.span = span;
        let written = match &node.kind {
            NodeKind::List(_) | NodeKind::Map(_) => None,
            _ => Some(plain_form(&node)),
        };
        self.place(Done { node, merge: false, written, nodes, height })
    }

    fn place(&mut self, done: Done) -> Result<(), Stop> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(done.node);
            return Ok(());
        };
        open.end = open.end.max(done.node.span.end);
        open.nodes += done.nodes;
        open.height = open.height.max(done.height + 1);
        let (entries, merged, pending) = match &mut open.kind {
            OpenKind::List(items) => {
                items.push(done.node);
                return Ok(());
            }
            OpenKind::Map { entries, merged, pending } => (entries, merged, pending),
        };
        match pending.take() {
            None if done.merge => *pending = Some(PendingKey::Merge),
            None => match done.written {
                Some(text) => {
                    let is_text = matches!(done.node.kind, NodeKind::Text(_));
                    *pending = Some(PendingKey::Plain(Key { span: done.node.span, text, is_text }));
                }
                None => {
                    *pending = Some(PendingKey::Bad);
                    let message = format!("{} cannot be a key", done.node.describe());
                    let finding = Diagnostic::error("yaml.key", "", done.node.span, message)
                        .help("quote it if it is meant as text, for example \"{NAME}\"");
                    self.findings.push(finding);
                }
            },
            Some(PendingKey::Bad) => {}
            Some(PendingKey::Plain(key)) => entries.push((key, done.node)),
            Some(PendingKey::Merge) => {
                if let Some(span) = keys::merge(merged, done.node) {
                    let finding =
                        Diagnostic::error("yaml.merge", "", span, "`<<` takes a mapping or a list of mappings");
                    self.findings.push(finding.help("write `<<: *name`, where `&name` marks a mapping"));
                }
            }
        }
        Ok(())
    }
}

fn plain_form(node: &Node) -> String {
    match &node.kind {
        NodeKind::Text(text) | NodeKind::Date(text) => text.clone(),
        NodeKind::Bool(value) => value.to_string(),
        NodeKind::Int(number) => number.to_string(),
        NodeKind::Float(number) => number.to_string(),
        NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => "null".into(),
    }
}
