//! Splitting a command into words as a POSIX shell does, without expanding anything.
//!
//! Options of QEMU stand in dictionaries and jobs as such text: `-append "console=ttyS0 quiet"`.

/// The words of `text`, or what is wrong with it.
///
/// # Errors
/// A quote that is not closed, or a backslash at the end.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('\'') => break,
                        Some(letter) => word.push(letter),
                        None => return Err(format!("a single quote is not closed in {text:?}")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some('"') => break,
                        Some('\\') => match letters.next() {
                            Some(letter @ ('"' | '\\' | '$' | '`')) => word.push(letter),
                            Some('\n') => {}
                            Some(letter) => word.extend(['\\', letter]),
                            None => return Err(format!("a double quote is not closed in {text:?}")),
                        },
                        Some(letter) => word.push(letter),
                        None => return Err(format!("a double quote is not closed in {text:?}")),
                    }
                }
            }
            '\\' => match letters.next() {
                Some('\n') => {}
                Some(letter) => word.get_or_insert_default().push(letter),
                None => return Err(format!("a backslash is the last character of {text:?}")),
            },
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::split;

    #[track_caller]
    fn check(text: &str, words: &[&str]) {
        assert_eq!(split(text).unwrap(), words, "{text}");
    }

    #[test]
    fn words_are_those_of_a_shell() {
        check("", &[]);
        check("  a  b\tc\n", &["a", "b", "c"]);
        check(r#"-append "console=ttyS0 quiet" -x"#, &["-append", "console=ttyS0 quiet", "-x"]);
        check(r#"a'b c'"d e"\ f"#, &["ab cd e f"]);
        check(r#""a\"b\\c\d" ''"#, &[r#"a"b\c\d"#, ""]);
        check("{kernel}", &["{kernel}"]);
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        for text in ["'a", "\"a", "\"a\\", "a\\"] {
            assert!(split(text).unwrap_err().contains("in ") || text == "a\\", "{text}");
        }
    }
}
