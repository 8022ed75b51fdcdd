//! A script as a tree. Spans are bytes of the text that was parsed, also within substitutions and here-documents.

use std::rc::Rc;

use convoke_job::Span;

/// A whole script: what could be read of it, and why the rest could not.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// The commands before the first one that cannot be read.
    pub(crate) list: List,
    /// Here-documents, by the number in [`RedirectKind::Here`].
    pub(crate) documents: Vec<Word>,
    /// What cannot be read.
    pub(crate) error: Option<ParseError>,
}

/// Why a script cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) span: Span,
    /// A lower-case fragment.
    pub(crate) message: String,
}

/// Commands in order.
#[derive(Debug, Default)]
pub(crate) struct List(pub(crate) Vec<Item>);

/// Pipelines joined by `&&` and `||`.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) first: Pipeline,
    pub(crate) rest: Vec<(Joint, Pipeline)>,
    /// It ends with `&`.
    pub(crate) background: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joint {
    And,
    Or,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) negated: bool,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) kind: Kind,
    pub(crate) redirects: Vec<Redirect>,
    /// From its first word to its last, redirections included.
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Simple {
        assignments: Vec<Assignment>,
        words: Vec<Word>,
    },
    Group(List),
    Subshell(List),
    If {
        arms: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    Loop {
        until: bool,
        condition: List,
        body: List,
    },
    /// `words` is none for the positional parameters.
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: List,
    },
    /// `for ((a; b; c))`
    Count {
        parts: [Word; 3],
        body: List,
    },
    Case {
        word: Word,
        arms: Vec<Arm>,
    },
    Function {
        name: String,
        body: Rc<Command>,
    },
    /// `[[ … ]]`
    Test(Vec<TestPart>),
    /// `(( … ))`
    Arithmetic(Word),
}

#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) patterns: Vec<Word>,
    pub(crate) body: List,
    /// It ends with `;&` or `;;&`.
    pub(crate) falls: bool,
}

#[derive(Debug)]
pub(crate) enum TestPart {
    Word(Word),
    /// `&& || ! ( ) < >`
    Operator(&'static str),
}

#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    /// `name+=value`
    pub(crate) append: bool,
    pub(crate) value: Assigned,
}

#[derive(Debug)]
pub(crate) enum Assigned {
    Word(Word),
    /// `name=(a b c)`
    Array(Vec<Word>),
    /// `name[index]=value`
    Element(Word),
}

#[derive(Debug)]
pub(crate) struct Redirect {
    /// The descriptor, when it is written.
    pub(crate) descriptor: Option<u32>,
    pub(crate) kind: RedirectKind,
}

#[derive(Debug)]
pub(crate) enum RedirectKind {
    Input(Word),
    /// To a file, or to another descriptor.
    Output {
        word: Word,
        append: bool,
    },
    /// Number of the here-document.
    Here(usize),
    /// `<<<`
    HereString(Word),
    /// `<&`
    Other(Word),
}

#[derive(Debug, Default)]
pub(crate) struct Word {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Piece {
    /// Unquoted text; quoted within [`Piece::Double`].
    Text(String),
    /// Text whose characters mean nothing but themselves.
    Quoted(String),
    Double(Vec<Piece>),
    Parameter(Box<Parameter>),
    Substitution(List, Span),
    Arithmetic(Word),
    /// `<(…)`, `>(…)`
    Process(List),
    /// `{a,b}` and `{1..5}`: as written. Some shells expand it.
    Braces(String, Span),
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) index: Option<Index>,
    pub(crate) operation: Operation,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum Index {
    /// `[@]`, `[*]`
    All,
    One(Word),
}

#[derive(Debug)]
pub(crate) enum Operation {
    Value,
    Length,
    /// `- = ? +`, with or without a colon.
    Default {
        kind: u8,
        colon: bool,
        word: Word,
    },
    /// `% %% # ##`
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    /// What only bash has: the text up to the brace.
    Other(Word),
}

impl Word {
    /// The text, when it is written without quotes or expansions.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}
