//! Findings, drawn into their source for people.

use std::borrow::Cow;
use std::fmt;
use std::io::IsTerminal;

use convoke_job::{Diagnostic, Severity, Source};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use crate::excerpt::Excerpt;
use crate::output;

/// Columns that texts are broken at, and that source lines are cut at, where there is no terminal.
const WIDTHS: (usize, usize) = (110, 160);
/// A text that quotes a long value is cut.
const LONGEST: usize = 500;

/// Draws findings on standard error, in the order of the document.
pub(crate) fn print(source: &Source, findings: &[Diagnostic]) {
    let terminal = std::io::stderr().is_terminal().then(console::Term::stderr);
    let widths = terminal.and_then(|terminal| terminal.size_checked()).map_or(WIDTHS, |(_, columns)| {
        let columns = usize::from(columns).max(40);
        (columns.min(WIDTHS.0), columns)
    });
    output::eprint(&draw(source, findings, output::stderr_colours(), widths));
}

fn draw(source: &Source, findings: &[Diagnostic], colours: bool, (texts, lines): (usize, usize)) -> String {
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(texts).with_context_lines(1);
    // Before a line stand its number and a bar.
    let room = lines.saturating_sub(source.text().lines().count().to_string().len() + 5);
    let mut ordered: Vec<&Diagnostic> = findings.iter().collect();
    // That some are left out is said after those that are there.
    let place = |finding: &Diagnostic| finding.labels.first().map_or(0, |label| label.span.start);
    ordered.sort_by_key(|finding| (finding.code == "findings.cut", place(finding)));
    let mut text = String::new();
    for finding in ordered {
        let excerpt = (!source.text().is_empty()).then(|| Excerpt::new(source, &finding.labels, room));
        let drawn = Drawn { finding, excerpt };
        if handler.render_report(&mut text, &drawn).is_err() {
            text.push_str(&finding.message);
        }
        text.push('\n');
    }
    text
}

/// `2 errors, 1 warning`.
pub(crate) fn count<'a>(findings: impl Iterator<Item = &'a Diagnostic>) -> String {
    let (mut errors, mut warnings) = (0, 0);
    findings.for_each(|finding| *if finding.is_error() { &mut errors } else { &mut warnings } += 1);
    let some = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        more => Some(format!("{more} {word}s")),
    };
    let parts: Vec<String> = [some(errors, "error"), some(warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { "no findings".into() } else { parts.join(", ") }
}

#[derive(Debug)]
struct Drawn<'a> {
    finding: &'a Diagnostic,
    excerpt: Option<Excerpt>,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.finding.path.is_empty() {
            write!(f, "{}: ", short(&self.finding.path))?;
        }
        f.write_str(&short(&self.finding.message))
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(short(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let ranges = &self.excerpt.as_ref()?.labels;
        Some(Box::new(self.finding.labels.iter().zip(ranges).enumerate().map(|(index, (label, range))| {
            let text = match label.text.as_str() {
                "" if index == 0 => Some("here".to_owned()),
                "" => None,
                text => Some(short(text).into_owned()),
            };
            let range = range.clone();
            if index == 0 {
                LabeledSpan::new_primary_with_span(text, range)
            } else {
                LabeledSpan::new_with_span(text, range)
            }
        })))
    }
}

/// A text for the terminal: not longer than people read, and without control characters.
fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let control = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(LONGEST).map(control).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(source: &Source, words: &[&str]) -> Diagnostic {
        let span = |word: &str| {
            let start = source.text().find(word).expect("the word is there");
            convoke_job::Span { start, end: start + word.len() }
        };
        let first = Diagnostic::error("test.code", "a.b", span(words[0]), "something is wrong");
        words[1..].iter().fold(first, |finding, word| finding.also(span(word), "and this"))
    }

    #[test]
    fn of_a_long_line_only_what_is_near_the_labels_is_drawn() {
        let filler = "é, ".repeat(100_000);
        let source = Source::new("one-line.json", format!("{{{filler}first: 1, {filler}second: 2, {filler}}}"));
        let text = draw(&source, &[finding(&source, &["first", "second"])], false, (80, 80));
        assert!(text.lines().all(|line| console::measure_text_width(line) <= 100), "{text}");
        assert!(text.contains("first: 1") && text.contains("second: 2"), "{text}");
        let column = source.position(source.text().find("first").unwrap_or(0)).column;
        assert!(text.contains(&format!("one-line.json:1:{column}")), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn lines_have_the_numbers_of_the_document() {
        let lines: String = (1..=400).map(|number| format!("line {number}.\n")).collect();
        let source = Source::new("many.yaml", lines);
        insta::assert_snapshot!(draw(&source, &[finding(&source, &["390.", "7."])], false, (80, 80)));
    }

    #[test]
    fn nothing_of_a_document_controls_the_terminal() {
        let source = Source::new("x.yaml", "a: \x1b[2Jred\nb: 1\n");
        let mut bad = finding(&source, &["red"]);
        bad.message = "got \x1b[31m".into();
        assert!(!draw(&source, &[bad], false, (80, 80)).contains('\x1b'));
    }
}
