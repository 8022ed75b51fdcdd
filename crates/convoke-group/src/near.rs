//! Names that differ so little that one was probably meant for the other.

/// Longest name that is looked at; nobody mistypes a longer one by a letter and is helped by hearing so.
const LONGEST: usize = 100;

/// Whether `other` is not `name` but was probably meant: it differs in case, in `-` and `_`, or by one or two letters
/// (one in a short name). A difference in digits alone is none: `round-1` and `round-2` are meant as they are.
pub fn is_near_miss(name: &str, other: &str) -> bool {
    if name == other || name.len() > LONGEST || other.len() > LONGEST {
        return false;
    }
    let (name, other) = (folded(name), folded(other));
    if name == other {
        return true;
    }
    if without_digits(&name) == without_digits(&other) {
        return false;
    }
    let shorter = name.chars().count().min(other.chars().count());
    let allowed = match shorter {
        0..=3 => return false,
        4..=5 => 1,
        _ => 2,
    };
    strsim::osa_distance(&name, &other) <= allowed
}

/// The nearest near miss among `others`, the first of equals.
pub fn nearest<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = others.filter(|other| is_near_miss(name, other));
    near.min_by_key(|other| strsim::osa_distance(&folded(name), &folded(other)))
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

fn without_digits(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::{is_near_miss, nearest};

    #[test]
    fn slips_of_the_finger_are_near() {
        for (name, other) in [
            ("server-ready", "server_ready"),
            ("server-ready", "Server-Ready"),
            ("server-ready", "server-raedy"),
            ("server-ready", "serverready"),
            ("go", "GO"),
            ("start", "strat"),
        ] {
            assert!(is_near_miss(name, other), "{name} {other}");
        }
    }

    #[test]
    fn other_names_are_not_near() {
        for (name, other) in [
            ("go", "go"),
            ("go", "no"),
            ("a", ""),
            ("round-1", "round-2"),
            ("round-9", "round-10"),
            ("ready", "done"),
            ("start", "stop"),
        ] {
            assert!(!is_near_miss(name, other), "{name} {other}");
        }
    }

    #[test]
    fn the_nearest_is_named() {
        assert_eq!(nearest("sever", ["client", "severs", "server", "SEVER"].into_iter()), Some("SEVER"));
        assert_eq!(nearest("sever", ["client"].into_iter()), None);
    }
}
