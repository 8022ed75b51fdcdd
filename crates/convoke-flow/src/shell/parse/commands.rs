//! Lists, pipelines and simple commands.

use convoke_job::Span;

use super::{Parser, Result, ends_word, is_name, is_name_start};
use crate::shell::ast::{
    Assigned, Assignment, Command, Item, Joint, Kind, List, Operation, Parameter, Piece, Pipeline, Redirect,
    RedirectKind, Word,
};

/// Words that end a list where a command could begin.
const CLOSING: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

impl Parser<'_, '_> {
    /// Commands up to the end, or to what closes the list.
    pub(super) fn list(&mut self) -> Result<List> {
        let mut list = List::default();
        self.deeper(|parser| parser.items(&mut list))?;
        Ok(list)
    }

    /// As [`Parser::list`]; those before a mistake are kept.
    pub(super) fn items(&mut self, list: &mut List) -> Result<()> {
        loop {
            self.lines()?;
            let closes = match self.peek() {
                None | Some(b')') => true,
                Some(b';') => self.is_next(";;") || self.is_next(";&"),
                Some(_) => CLOSING.iter().any(|word| self.is_word(word)),
            };
            if closes {
                return Ok(());
            }
            let mut item = self.item()?;
            self.blanks();
            let separated = match self.peek() {
                Some(b'&') => {
                    self.at += 1;
                    item.background = true;
                    true
                }
                Some(b';') if !self.is_next(";;") && !self.is_next(";&") => {
                    self.at += 1;
                    true
                }
                Some(b'\n') => true,
                None | Some(b')' | b';') => false,
                // A compound command may be followed by a closing word, whatever else is a mistake.
                Some(_) if CLOSING.iter().any(|word| self.is_word(word)) => false,
                Some(_) => return self.error(format!("unexpected {}", self.found())),
            };
            list.0.push(item);
            if !separated {
                return Ok(());
            }
        }
    }

    fn item(&mut self) -> Result<Item> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let joint = if self.take("&&") {
                Joint::And
            } else if self.take("||") {
                Joint::Or
            } else {
                return Ok(Item { first, rest, background: false });
            };
            self.lines()?;
            rest.push((joint, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline> {
        let mut negated = false;
        loop {
            self.blanks();
            if self.is_word("!") {
                negated = !negated;
                self.at += 1;
            } else if self.is_word("time") {
                self.at += 4;
                self.blanks();
                if self.is_word("-p") {
                    self.at += 2;
                }
            } else {
                break;
            }
        }
        let mut commands = vec![self.command()?];
        loop {
            self.blanks();
            if self.is_next("||") || !self.take("|") {
                return Ok(Pipeline { negated, commands });
            }
            // `|&` of bash.
            self.take("&");
            self.lines()?;
            commands.push(self.command()?);
        }
    }

    pub(super) fn command(&mut self) -> Result<Command> {
        self.blanks();
        let start = self.at;
        let kind = match self.deeper(Self::compound)? {
            Some(kind) => kind,
            None => return self.simple(start),
        };
        let mut redirects = Vec::new();
        if !matches!(kind, Kind::Function { .. }) {
            while let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
            }
        }
        Ok(Command { kind, redirects, span: self.span_from(start) })
    }

    fn simple(&mut self, start: usize) -> Result<Command> {
        let mut assignments = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let mut redirects = Vec::new();
        let mut end = self.at;
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
            } else if words.is_empty() && self.assignment_length().is_some() {
                let assignment = self.assignment()?;
                assignments.push(assignment);
            } else if let Some(word) = self.word()? {
                words.push(word);
                self.blanks();
                if words.len() == 1 && assignments.is_empty() && redirects.is_empty() && self.peek() == Some(b'(') {
                    return self.function_after(&words[0], start);
                }
                // `declare a=(1 2)`, `local x=(…)`: an array where a word was.
                if self.peek() == Some(b'(') && self.text[..self.at].ends_with('=') && words.len() > 1 {
                    let start = self.at;
                    self.array()?;
                    // What it holds is not kept: the value of a parameter that nobody can set.
                    let (name, span) = ("=()".to_owned(), self.span_from(start));
                    let parameter = Parameter { name, index: None, operation: Operation::Value, span };
                    if let Some(word) = words.last_mut() {
                        word.span = Span::new(word.span.start, span.end);
                        word.pieces.push(Piece::Parameter(Box::new(parameter)));
                    }
                }
            } else {
                break;
            }
            end = self.at;
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return self.error(format!("a command is expected, found {}", self.found()));
        }
        // Blanks and comments after the last word are not part of it.
        let text = self.text[start..end].trim_end();
        let end = start + text.len();
        let span = Span::new(self.origin(start), self.origin(end));
        Ok(Command { kind: Kind::Simple { assignments, words }, redirects, span })
    }

    /// How long the name and the sign are, when an assignment comes next.
    fn assignment_length(&self) -> Option<usize> {
        let bytes = &self.text.as_bytes()[self.at..];
        if !bytes.first().copied().is_some_and(is_name_start) {
            return None;
        }
        let name = bytes.iter().take_while(|byte| is_name(**byte)).count();
        let mut at = name;
        if bytes.get(at) == Some(&b'[') {
            at += bytes[at..].iter().take_while(|byte| !matches!(byte, b']' | b' ' | b'\n')).count() + 1;
        }
        if bytes.get(at) == Some(&b'+') {
            at += 1;
        }
        (bytes.get(at) == Some(&b'=')).then_some(at + 1)
    }

    fn assignment(&mut self) -> Result<Assignment> {
        let length = self.assignment_length().unwrap_or_default();
        let sign = &self.text[self.at..self.at + length];
        let name: String = sign.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let (append, element) = (sign.ends_with("+="), sign.contains('['));
        self.at += length;
        let value = if self.peek() == Some(b'(') && !element {
            Assigned::Array(self.array()?)
        } else {
            let word = match self.peek() {
                Some(byte) if !ends_word(byte) => self.word()?.unwrap_or_default(),
                _ => Word { pieces: Vec::new(), span: self.span_from(self.at) },
            };
            if element { Assigned::Element(word) } else { Assigned::Word(word) }
        };
        Ok(Assignment { name, append, value })
    }

    /// `(a b c)` of an array.
    fn array(&mut self) -> Result<Vec<Word>> {
        self.at += 1;
        let mut words = Vec::new();
        loop {
            self.lines()?;
            if self.take(")") {
                return Ok(words);
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => return self.error(format!("`)` is expected, found {}", self.found())),
            }
        }
    }

    fn redirect(&mut self) -> Result<Option<Redirect>> {
        self.blanks();
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let sign = self.peek_at(digits);
        let is_process = matches!(sign, Some(b'<' | b'>')) && self.peek_at(digits + 1) == Some(b'(');
        let both = digits == 0 && (self.is_next("&>"));
        if is_process || !(both || matches!(sign, Some(b'<' | b'>'))) {
            return Ok(None);
        }
        let descriptor = self.rest()[..digits].parse().ok();
        self.at += digits;
        let signs = ["<<<", "<<-", "<<", "<&", "<>", "<", "&>>", "&>", ">>", ">&", ">|", ">"];
        let Some(sign) = signs.into_iter().find(|sign| self.is_next(sign)) else { return Ok(None) };
        self.at += sign.len();
        self.blanks();
        if sign == "<<" || sign == "<<-" {
            let kind = RedirectKind::Here(self.document(sign == "<<-")?);
            return Ok(Some(Redirect { descriptor, kind }));
        }
        let Some(word) = self.word()? else {
            return self.error(format!("a file is expected after `{sign}`, found {}", self.found()));
        };
        let kind = match sign {
            "<<<" => RedirectKind::HereString(word),
            "<" | "<>" => RedirectKind::Input(word),
            "<&" => RedirectKind::Other(word),
            _ => RedirectKind::Output { word, append: sign.ends_with(">>") },
        };
        Ok(Some(Redirect { descriptor, kind }))
    }

    /// Whether this word, unquoted and whole, comes next.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_next(word) && self.peek_at(word.len()).is_none_or(ends_word)
    }

    /// Takes a reserved word that has to be there.
    pub(super) fn expect(&mut self, word: &str) -> Result<()> {
        self.lines()?;
        if self.is_word(word) {
            self.at += word.len();
            return Ok(());
        }
        self.error(format!("`{word}` is expected, found {}", self.found()))
    }

    /// The rest of `name() command`.
    fn function_after(&mut self, name: &Word, start: usize) -> Result<Command> {
        let open = self.at;
        self.at += 1;
        self.blanks();
        let Some(name) = name.literal().filter(|_| self.peek() == Some(b')')).map(str::to_owned) else {
            self.at = open;
            return self.error("unexpected `(`");
        };
        self.at += 1;
        self.function(name, start)
    }

    /// Whether all of a word is one literal, for messages and names.
    pub(super) fn plain_word(&mut self, what: &str) -> Result<String> {
        self.blanks();
        match self.word()? {
            Some(word) if matches!(word.pieces.as_slice(), [Piece::Text(_)]) => {
                Ok(word.literal().unwrap_or_default().to_owned())
            }
            _ => self.error(format!("{what} is expected, found {}", self.found())),
        }
    }
}
