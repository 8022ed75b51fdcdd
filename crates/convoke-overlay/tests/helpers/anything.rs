//! Values made of everything that shells, patterns and the protocol itself treat specially: what is sent is on the line
//! as it was, or refused by the rule; what is replied is cut by the rule and nowhere else. The rules are written here a
//! second time, as plainly as they can be (device-side.md §4.2, §6.2, D8).

use crate::device::{Device, each_shell, suite_of};

/// A fixed sequence of numbers that looks random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }

    fn text(&mut self, pieces: &[&str], longest: usize) -> String {
        (0..self.below(longest + 1)).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

const PIECES: [&str; 40] = [
    " ", " ", "  ", "a", "key", "9101", "9102", ":", ":", "=", "=", "9101:", "9103:k=", " 9102:x=", " b=", "\\", "\\n",
    "\\\\", "'", "\"", "$HOME", "$(x)", "`x`", "*", "?", "[a]", "~", "%s", "%", "#", "&", ";", "|", "!", "{a,b}", "-",
    ".", "ü", "<", "nack",
];

fn is_key(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
    text.chars().all(legal) && !text.is_empty() && !text.starts_with(['.', '-'])
}

fn starts_pair(text: &str) -> bool {
    text.split_once('=').is_some_and(|(key, _)| is_key(key))
}

#[test]
fn is_sent_as_it_is_or_refused() {
    let mut numbers = Numbers(1);
    let mut steps = String::new();
    let mut expected = String::new();
    for _ in 0..60 {
        let value = numbers.text(&[&PIECES[..], &[">"]].concat(), 8);
        let quoted = value.replace('\'', "'\"'\"'");
        steps.push_str(&format!("lava-send m 'v={quoted}' 2>/dev/null || echo refused\n"));
        let mut blanks = value.match_indices(' ');
        let refused =
            value.contains('>') || blanks.any(|(at, _)| starts_pair(value[at + 1..].split(' ').next().unwrap()));
        match refused {
            true => expected.push_str("refused\n"),
            false => expected.push_str(&format!("<LAVA_MULTI_NODE> <LAVA_SEND m v={value}>\n")),
        }
    }
    assert!(expected.contains("refused") && expected.matches("LAVA_SEND").count() > 20);
    each_shell(|shell| assert_eq!(Device::new(shell).run(&steps), expected));
}

#[test]
fn is_cut_only_before_a_pair_of_the_group() {
    let mut numbers = Numbers(2);
    let replies: Vec<_> = (0..30).map(|_| format!("9101:k={}", numbers.text(&PIECES, 12))).collect();
    let mut expected = String::new();
    for reply in &replies {
        let mut line = reply.clone();
        for (at, _) in reply.match_indices(' ') {
            let names = ["9101:", "9102:", "9103:", "9104:"];
            if names.iter().any(|name| reply[at + 1..].strip_prefix(name).is_some_and(starts_pair)) {
                line.replace_range(at..=at, "\n");
            }
        }
        expected.push_str(&format!("{line}\n--\n"));
    }
    each_shell(|shell| {
        let device = Device::new(shell);
        let all = device.path("all");
        let steps = format!(
            "for i in {}; do lava-wait \"m$i\"; cat \"$LAVA_MULTI_NODE_CACHE\" >>'{all}'; echo -- >>'{all}'; done\n",
            (0..replies.len()).map(|number| number.to_string()).collect::<Vec<_>>().join(" "),
            all = all.display()
        );
        let mut console = device.start(&steps);
        for (number, reply) in replies.iter().enumerate() {
            console.expect(&format!("WAIT m{number}>\n")).type_text(&format!("<LAVA_WAIT_COMPLETE {reply}>\n"));
        }
        suite_of(&console.finish());
        assert_eq!(device.read("all"), expected);
    });
}
