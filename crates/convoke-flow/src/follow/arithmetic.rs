//! Arithmetic on what is known.

use convoke_job::Span;

use super::Follower;
use super::draft::Draft;
use super::state::{Content, State};
use super::value::Value;
use crate::model::{Unknown, Why};
use crate::shell::ast::Word;

/// An expression is no longer, and no deeper, than this.
const MOST_BYTES: usize = 2000;
const MOST_LEVELS: usize = 40;

impl Follower<'_> {
    /// The value of an expression. Assignments in it take effect.
    pub(super) fn calculate(&mut self, word: &Word, state: &mut State, out: &mut Vec<Draft>) -> Result<i64, Unknown> {
        match self.quoted_text(word, state, out) {
            Value::Known(text) => self.calculated(&text, word.span, state),
            Value::Unknown(unknown) => Err(unknown.as_ref().clone()),
        }
    }

    pub(super) fn calculated(&mut self, text: &str, span: Span, state: &mut State) -> Result<i64, Unknown> {
        let mut expression = Expression { text, at: 0, level: 0, span, follower: self, state };
        if text.len() > MOST_BYTES {
            return Err(expression.puzzled());
        }
        let value = expression.sequence()?;
        expression.blanks();
        if expression.at < text.len() { Err(expression.puzzled()) } else { Ok(value) }
    }
}

struct Expression<'a, 'f> {
    text: &'a str,
    at: usize,
    level: usize,
    span: Span,
    follower: &'a mut Follower<'f>,
    state: &'a mut State,
}

/// Binary operators by precedence, weakest first. Longer ones stand before those they begin with.
const BINARY: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Expression<'_, '_> {
    fn puzzled(&self) -> Unknown {
        self.follower.unknown(Why::Command(format!("the expression {}", self.text.trim())), self.span)
    }

    fn blanks(&mut self) {
        self.at += self.text[self.at..].len() - self.text[self.at..].trim_start().len();
    }

    fn take(&mut self, sign: &str) -> bool {
        self.blanks();
        let found = self.text[self.at..].starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn sequence(&mut self) -> Result<i64, Unknown> {
        let mut value = self.ternary()?;
        while self.take(",") {
            value = self.ternary()?;
        }
        Ok(value)
    }

    fn ternary(&mut self) -> Result<i64, Unknown> {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(self.puzzled());
        }
        let mut value = self.binary(0)?;
        if self.take("?") {
            let yes = self.ternary()?;
            if !self.take(":") {
                return Err(self.puzzled());
            }
            let no = self.ternary()?;
            value = if value != 0 { yes } else { no };
        }
        self.level -= 1;
        Ok(value)
    }

    /// The operator of a level that comes next.
    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.blanks();
        let rest = &self.text[self.at..];
        let sign = BINARY[level].iter().find(|sign| rest.starts_with(**sign))?;
        let after = &rest[sign.len()..];
        // `|` of `||`, `<` of `<<`, and `+=` are not this operator.
        let longer = match *sign {
            "|" => after.starts_with('|'),
            "&" => after.starts_with('&'),
            "<" => after.starts_with('<'),
            ">" => after.starts_with('>'),
            "*" => after.starts_with('*'),
            _ => false,
        };
        let assigns = !matches!(*sign, "==" | "!=" | "<=" | ">=" | "<" | ">" | "||" | "&&") && after.starts_with('=');
        if longer || assigns {
            return None;
        }
        self.at += sign.len();
        Some(sign)
    }

    fn binary(&mut self, level: usize) -> Result<i64, Unknown> {
        if level == BINARY.len() {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        while let Some(sign) = self.operator(level) {
            let right = self.binary(level + 1)?;
            left = self.apply(sign, left, right)?;
        }
        Ok(left)
    }

    fn apply(&self, sign: &str, left: i64, right: i64) -> Result<i64, Unknown> {
        let shift = |right: i64| u32::try_from(right).ok().filter(|by| *by < 64);
        let value = match sign {
            "||" => Some(i64::from(left != 0 || right != 0)),
            "&&" => Some(i64::from(left != 0 && right != 0)),
            "|" => Some(left | right),
            "^" => Some(left ^ right),
            "&" => Some(left & right),
            "==" => Some(i64::from(left == right)),
            "!=" => Some(i64::from(left != right)),
            "<=" => Some(i64::from(left <= right)),
            ">=" => Some(i64::from(left >= right)),
            "<" => Some(i64::from(left < right)),
            ">" => Some(i64::from(left > right)),
            "<<" => shift(right).map(|by| left.wrapping_shl(by)),
            ">>" => shift(right).map(|by| left.wrapping_shr(by)),
            "+" => Some(left.wrapping_add(right)),
            "-" => Some(left.wrapping_sub(right)),
            "*" => Some(left.wrapping_mul(right)),
            "/" => left.checked_div(right),
            _ => left.checked_rem(right),
        };
        value.ok_or_else(|| self.puzzled())
    }

    fn unary(&mut self) -> Result<i64, Unknown> {
        self.blanks();
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(self.puzzled());
        }
        let rest = &self.text[self.at..];
        let value = if rest.starts_with("++") || rest.starts_with("--") {
            let by = if rest.starts_with('+') { 1 } else { -1 };
            self.at += 2;
            self.blanks();
            let name = self.name();
            if name.is_empty() {
                return Err(self.puzzled());
            }
            let value = self.variable(&name)?.wrapping_add(by);
            self.assign(&name, value)
        } else if self.take("!") {
            i64::from(self.unary()? == 0)
        } else if self.take("~") {
            !self.unary()?
        } else if self.take("-") {
            self.unary()?.wrapping_neg()
        } else if self.take("+") {
            self.unary()?
        } else {
            self.power()?
        };
        self.level -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<i64, Unknown> {
        let base = self.primary()?;
        if !self.take("**") {
            return Ok(base);
        }
        let exponent = self.unary()?;
        u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent)).ok_or_else(|| self.puzzled())
    }

    fn primary(&mut self) -> Result<i64, Unknown> {
        if self.take("(") {
            let value = self.sequence()?;
            return if self.take(")") { Ok(value) } else { Err(self.puzzled()) };
        }
        self.blanks();
        let rest = &self.text[self.at..];
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            self.at += length;
            return number(&rest[..length]).ok_or_else(|| self.puzzled());
        }
        let name = self.name();
        if name.is_empty() {
            return Err(self.puzzled());
        }
        self.blanks();
        let rest = &self.text[self.at..];
        const ASSIGNING: [&str; 11] = ["<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "="];
        let sign = ASSIGNING.into_iter().find(|sign| rest.starts_with(sign)).filter(|_| !rest.starts_with("=="));
        if let Some(sign) = sign {
            self.at += sign.len();
            let mut value = self.ternary();
            if let (Ok(right), Some(operator)) =
                (&value, sign.strip_suffix('=').filter(|operator| !operator.is_empty()))
            {
                let right = *right;
                value = self.variable(&name).and_then(|left| self.apply(operator, left, right));
            }
            return match value {
                Ok(value) => Ok(self.assign(&name, value)),
                Err(unknown) => {
                    self.state.set(&name, Value::unknown(unknown.clone()));
                    Err(unknown)
                }
            };
        }
        let step = if rest.starts_with("++") { 1 } else { -i64::from(rest.starts_with("--")) };
        let value = self.variable(&name)?;
        if step != 0 {
            self.at += 2;
            self.assign(&name, value.wrapping_add(step));
        }
        Ok(value)
    }

    fn name(&mut self) -> String {
        let rest = &self.text[self.at..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return String::new();
        }
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        self.at += length;
        rest[..length].to_owned()
    }

    fn variable(&mut self, name: &str) -> Result<i64, Unknown> {
        let value = match self.state.variables.get(name).map(|variable| variable.content.clone()) {
            Some(Content::One(value)) => value,
            Some(Content::Unset) => return Ok(0),
            Some(Content::Array(values)) => values.first().cloned().unwrap_or_else(Value::empty),
            None => self.follower.outside(name, self.span),
        };
        match value {
            Value::Known(text) if text.trim().is_empty() => Ok(0),
            Value::Known(text) => {
                let text = text.trim();
                let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
                let value = number(digits).ok_or_else(|| self.puzzled())?;
                Ok(if negative { value.wrapping_neg() } else { value })
            }
            Value::Unknown(unknown) => Err(unknown.as_ref().clone()),
        }
    }

    fn assign(&mut self, name: &str, value: i64) -> i64 {
        self.state.set(name, value.to_string().into());
        value
    }
}

/// Decimal, octal and hexadecimal.
fn number(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return i64::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0').filter(|digits| !digits.is_empty()) {
        Some(digits) => i64::from_str_radix(digits, 8).ok(),
        None => text.parse().ok(),
    }
}
