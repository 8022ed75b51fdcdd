//! No text makes reading panic or go on for ever.

use proptest::prelude::*;

use crate::one;

/// Fragments of scripts, in any order.
const FRAGMENTS: [&str; 66] = [
    "if ",
    "then ",
    "else ",
    "elif ",
    "fi",
    "while ",
    "until ",
    "do ",
    "done",
    "for x in ",
    "case $x in ",
    "esac",
    ";;",
    "a) ",
    "{ ",
    "}",
    "( ",
    ")",
    "((",
    "))",
    "[[ ",
    "]]",
    "[ ",
    "]",
    "$(",
    "${x",
    "${x:-",
    "${x%%",
    "}",
    "$((",
    "`",
    "\"",
    "'",
    "\\",
    "\n",
    "; ",
    "& ",
    "&& ",
    "|| ",
    "| ",
    "> f",
    "< f",
    "<<E\n",
    "E\n",
    "<<-\"E\"\n",
    "<(",
    "x=",
    "x=(",
    "f() ",
    "function f ",
    "return ",
    "break ",
    "continue ",
    "exit 1",
    "eval ",
    "set -- ",
    "shift",
    "lava-sync a ",
    "lava-wait $x ",
    "lava-send a b=$1 ",
    "lava-test-case t --shell ",
    "$@ ",
    "*",
    "true ",
    "i=$((i+1)) ",
    "é\u{301}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn fragments_of_scripts(parts in prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..60)) {
        let script: String = parts.concat();
        prop_assert_eq!(one::flow(&format!(":\n{script}")).members.len(), 3);
    }

    #[test]
    fn any_text(script in "[ -~\n\té☃]{0,200}") {
        prop_assert_eq!(one::flow(&format!(":\n{script}")).members.len(), 3);
    }
}

/// The same text many times over, deeper than any reader goes.
#[track_caller]
fn check(script: &str) {
    assert_eq!(one::flow(script).members.len(), 3);
}

#[test]
fn nesting_is_bounded() {
    const DEEP: usize = 5_000;
    for (open, inner, close) in [
        ("( ", "lava-sync a", ")"),
        ("{ ", "lava-sync a;", "}"),
        ("$(", "lava-sync a", ")"),
        ("\"$(", "lava-sync a", ")\""),
        ("${x:-", "a", "}"),
        ("$((1+", "1", "))"),
        ("if true; then ", "lava-sync a;", "fi; "),
        ("while true; do ", "break; ", "done; "),
        ("f() { ", "lava-sync a;", "}; f; "),
        ("[[ ( ", "a", " ) ]]"),
        ("x=(", "a", ")"),
        ("eval ", "lava-sync a", ""),
        ("! ", "lava-sync a", ""),
        ("case a in a) ", "lava-sync a", ";; esac "),
        ("timeout 1 ", "lava-sync a", ""),
        ("cat <(", "a", ")"),
    ] {
        check(&format!("echo {}{inner}{}", open.repeat(DEEP), close.repeat(DEEP)));
        check(&format!("{}{inner}{}", open.repeat(DEEP), close.repeat(DEEP)));
        check(&format!("{}{inner}{}", open.repeat(40), close.repeat(40)));
    }
    check(&format!("echo $(({}1{}))", "(".repeat(DEEP), ")".repeat(DEEP)));
    check(&format!("echo $(({}1))", "-".repeat(DEEP)));
    check(&format!("echo $((1{}))", "?1:1".repeat(400)));
    check(&format!("[[ {} a ]]", "! ".repeat(DEEP)));
    check(&format!("[ {} a ]", "! ".repeat(DEEP)));
    check(&format!("case {} in {}) lava-sync a;; esac", "a".repeat(5000), "*a".repeat(2000)));
    check(&format!("case a in {}) lava-sync a;; esac", "[a]".repeat(DEEP)));
}

#[test]
fn recursion_and_loops_are_bounded() {
    for script in [
        "f() { f; }; f",
        "f() { lava-sync a; f; }; f",
        "f() { f & f; }; f",
        "f() { f | f; }; f",
        "f() { if test -f x; then f; lava-sync a; else f; fi; }; f",
        "x='eval \"$x\"'; eval \"$x\"",
        "x='lava-sync a; eval \"$x\"'; eval \"$x\"",
        "while :; do :; done",
        "while :; do lava-sync a; done",
        "i=0; while [ $i -lt 1000000 ]; do i=$((i + 1)); done; lava-sync a",
        "i=0; while [ $i -lt 1000000 ]; do i=$((i + 1)); lava-sync $i; done",
        "for i in $(seq 5000); do for j in $(seq 5000); do lava-sync $i$j; done; done",
        "for ((;;)); do lava-sync a; done",
        "while read x; do lava-sync $x; done",
        "x=a; for i in $(seq 60); do x=$x$x; done; lava-sync $x",
        "x=a; while :; do x=\"$x$x\"; done; lava-sync b",
        "printf '%1000000000s' a; lava-sync a",
        "while test -f x; do if test -f y; then break; fi; test -f z && continue; lava-sync a; done",
        "trap 'lava-sync a' EXIT; while :; do trap 'f' EXIT; f() { f; }; done",
    ] {
        check(script);
    }
}
