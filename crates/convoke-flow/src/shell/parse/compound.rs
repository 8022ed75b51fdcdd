//! Compound commands.

use std::rc::Rc;

use super::{Parser, Result};
use crate::shell::ast::{Arm, Command, Kind, List, TestPart, Word};

impl Parser<'_, '_> {
    /// A compound command, when one comes next.
    pub(super) fn compound(&mut self) -> Result<Option<Kind>> {
        if self.peek() == Some(b'(') {
            return self.parenthesis().map(Some);
        }
        const WORDS: [&str; 10] = ["{", "if", "while", "until", "for", "case", "function", "[[", "select", "coproc"];
        let Some(word) = WORDS.into_iter().find(|word| self.is_word(word)) else {
            return Ok(None);
        };
        let start = self.at;
        self.at += word.len();
        let kind = match word {
            "{" => {
                let list = self.list()?;
                self.expect("}")?;
                Kind::Group(list)
            }
            "if" => self.conditional()?,
            "while" | "until" => {
                let condition = self.filled("a condition")?;
                let body = self.body()?;
                Kind::Loop { until: word == "until", condition, body }
            }
            "for" => self.counting()?,
            "case" => self.case()?,
            "function" => {
                let name = self.plain_word("the name of a function")?;
                self.blanks();
                if self.take("(") {
                    self.blanks();
                    if !self.take(")") {
                        return self.error("`)` is expected");
                    }
                }
                self.function(name, start)?.kind
            }
            "[[" => self.test()?,
            _ => {
                self.at = start;
                return self.error(format!("`{word}` is not understood"));
            }
        };
        Ok(Some(kind))
    }

    fn parenthesis(&mut self) -> Result<Kind> {
        if self.is_arithmetic() {
            self.at += 2;
            return Ok(Kind::Arithmetic(self.arithmetic()?));
        }
        self.at += 1;
        let list = self.list()?;
        self.lines()?;
        if !self.take(")") {
            return self.error(format!("`)` is expected, found {}", self.found()));
        }
        Ok(Kind::Subshell(list))
    }

    /// A list with at least one command.
    fn filled(&mut self, what: &str) -> Result<List> {
        let list = self.list()?;
        if list.0.is_empty() {
            return self.error(format!("{what} is expected, found {}", self.found()));
        }
        Ok(list)
    }

    fn conditional(&mut self) -> Result<Kind> {
        let mut arms = Vec::new();
        loop {
            let condition = self.filled("a condition")?;
            self.expect("then")?;
            arms.push((condition, self.filled("a command")?));
            self.lines()?;
            if self.is_word("elif") {
                self.at += 4;
                continue;
            }
            let mut otherwise = None;
            if self.is_word("else") {
                self.at += 4;
                otherwise = Some(self.filled("a command")?);
            }
            self.expect("fi")?;
            return Ok(Kind::If { arms, otherwise });
        }
    }

    /// `do … done`
    fn body(&mut self) -> Result<List> {
        self.expect("do")?;
        let list = self.filled("a command")?;
        self.expect("done")?;
        Ok(list)
    }

    fn counting(&mut self) -> Result<Kind> {
        self.blanks();
        if self.take("((") {
            let mut parts: [Word; 3] = Default::default();
            for (index, part) in parts.iter_mut().enumerate() {
                *part = if index < 2 { self.arithmetic_until(";")? } else { self.arithmetic()? };
            }
            self.blanks();
            self.take(";");
            return Ok(Kind::Count { parts, body: self.body()? });
        }
        let name = self.plain_word("the name of a variable")?;
        self.lines()?;
        let mut words = None;
        if self.is_word("in") {
            self.at += 2;
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.word()? {
                    Some(word) => list.push(word),
                    None => break,
                }
            }
            words = Some(list);
        }
        self.blanks();
        self.take(";");
        Ok(Kind::For { name, words, body: self.body()? })
    }

    fn case(&mut self) -> Result<Kind> {
        self.blanks();
        let Some(word) = self.word()? else {
            return self.error(format!("a word is expected, found {}", self.found()));
        };
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.lines()?;
            if self.is_word("esac") {
                self.at += 4;
                return Ok(Kind::Case { word, arms });
            }
            self.take("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                match self.word()? {
                    Some(pattern) => patterns.push(pattern),
                    None => return self.error(format!("a pattern is expected, found {}", self.found())),
                }
                self.blanks();
                if self.take(")") {
                    break;
                }
                if !self.take("|") {
                    return self.error(format!("`)` is expected, found {}", self.found()));
                }
            }
            let body = self.list()?;
            self.lines()?;
            let falls = self.take(";;&") || self.take(";&");
            if !falls && !self.take(";;") && !self.is_word("esac") {
                return self.error(format!("`;;` is expected, found {}", self.found()));
            }
            arms.push(Arm { patterns, body, falls });
        }
    }

    /// A function's body.
    pub(super) fn function(&mut self, name: String, start: usize) -> Result<Command> {
        self.lines()?;
        let body = self.deeper(Self::command)?;
        if matches!(body.kind, Kind::Simple { .. }) {
            return self.error("a function's body is expected between `{` and `}`");
        }
        Ok(Command {
            kind: Kind::Function { name, body: Rc::new(body) },
            redirects: Vec::new(),
            span: self.span_from(start),
        })
    }

    /// `[[ … ]]`
    fn test(&mut self) -> Result<Kind> {
        const OPERATORS: [&str; 7] = ["&&", "||", "!", "(", ")", "<", ">"];
        let mut parts = Vec::new();
        let mut is_regex = false;
        loop {
            self.lines()?;
            if self.is_word("]]") {
                self.at += 2;
                return Ok(Kind::Test(parts));
            }
            let operator = OPERATORS.into_iter().find(|sign| match *sign {
                "!" => self.is_word("!"),
                sign => self.is_next(sign),
            });
            if let Some(operator) = operator.filter(|_| !is_regex) {
                self.at += operator.len();
                parts.push(TestPart::Operator(operator));
                continue;
            }
            let word = if is_regex { self.regex()? } else { self.word()? };
            let Some(word) = word else { return self.error(format!("`]]` is expected, found {}", self.found())) };
            is_regex = word.literal() == Some("=~");
            parts.push(TestPart::Word(word));
        }
    }
}
