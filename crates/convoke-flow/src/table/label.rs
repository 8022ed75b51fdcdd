//! How columns are headed.

use super::acts::Who;

/// `server`, `server ×2`, `client.3`, `client.1–4,6`: the members of a column, all of one role.
pub(crate) fn label(members: &[Who<'_>]) -> String {
    let Some(first) = members.first() else { return String::new() };
    let role = if first.role.is_empty() { "device" } else { first.role };
    match members.len() as u32 {
        1 if first.of <= 1 => role.to_owned(),
        all if all == first.of => format!("{role} ×{all}"),
        _ => format!("{role}.{}", ranges(members.iter().map(|member| member.number))),
    }
}

/// `1–4,6`.
fn ranges(numbers: impl Iterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last): &(u32, u32)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}–{last}"),
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[u32], of: u32) -> String {
        let members: Vec<Who<'_>> =
            numbers.iter().map(|number| Who { sub_id: *number, role: "client", number: *number, of }).collect();
        label(&members)
    }

    #[test]
    fn a_column_is_headed_by_its_role_and_what_tells_it_from_the_others() {
        assert_eq!(of(&[1], 1), "client");
        assert_eq!(of(&[1, 2, 3], 3), "client ×3");
        assert_eq!(of(&[2], 3), "client.2");
        assert_eq!(of(&[1, 2], 3), "client.1,2");
        assert_eq!(of(&[1, 2, 3, 5], 9), "client.1–3,5");
    }
}
