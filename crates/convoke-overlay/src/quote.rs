//! Text for a shell: quoting of values, checking of names.
//!
//! A quoted word is one word in every POSIX shell whatever it holds, so nothing that a job, a definition or a device
//! says can end a line of a generated script.

/// One word for a POSIX shell: as it is when nothing in it is special, else between single quotes
/// (`it's` → `'it'"'"'s'`, device-side.md §1.2).
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', r#"'"'"'"#))
}

/// Like [`shell_word`], but always between quotes, as the parameter block of a script has it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r#"'"'"'"#))
}

/// Whether `name` can name a shell variable.
pub fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `name` with every character that a shell identifier cannot have as `_` (device-side.md §1.2).
pub(crate) fn to_identifier(name: &str) -> String {
    let mut out: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if out.is_empty() || out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

/// Whether `path` names something below a directory: relative, no `..`, no empty or `.` component, no control character.
pub(crate) fn is_safe_path(path: &str) -> bool {
    !path.is_empty()
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}
