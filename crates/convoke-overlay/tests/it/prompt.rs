//! Prompts are found in what a person would read.

use convoke_overlay::prompt::PromptMatcher;
use proptest::prelude::*;

#[track_caller]
fn found(prompts: &[&str], text: &str) -> Option<(usize, String)> {
    let mut whole = PromptMatcher::new(prompts).unwrap();
    let at_once = whole.feed(text.as_bytes()).or_else(|| whole.flush());
    let mut bytewise = PromptMatcher::new(prompts).unwrap();
    let one_by_one = text.bytes().find_map(|byte| bytewise.feed(&[byte])).or_else(|| bytewise.flush());
    assert_eq!(at_once.as_ref().map(|m| m.prompt), one_by_one.as_ref().map(|m| m.prompt), "of {text:?}");
    at_once.map(|found| (found.prompt, found.text))
}

#[test]
fn prompts_match_across_sequences_and_kernel_records() {
    let prompts = ["login:", "root@dut:~# "];
    assert_eq!(found(&prompts, "boot\r\ndut login: "), Some((0, "login:".into())));
    assert_eq!(
        found(&prompts, "\u{1b}[?2004hroot@d[    3.431496] usb 1-1: new\r\nut:~\u{1b}[1m# "),
        Some((1, prompts[1].into()))
    );
    assert_eq!(found(&prompts, "root@dut:~ # "), None);
    assert_eq!(
        found(&["Linux version [0-9]"], "[    0.000000] Linux version 6.1.0\r\n"),
        Some((0, "Linux version 6".into()))
    );
    assert_eq!(found(&["^# $"], "## \r\n# "), Some((0, "# ".into())));
    assert_eq!(found(&[r"(?P<user>\w+)@(?P=user)"], "a@b b@b"), Some((0, "b@b".into())));
    assert_eq!(found(&[r"\[root@dut ~\]# "], "[root@dut ~]# "), Some((0, "[root@dut ~]# ".into())));
    assert_eq!(found(&[r"t=\["], "t=["), Some((0, "t=[".into())));
}

#[test]
fn what_follows_a_match_is_kept_for_the_next_wait() {
    let mut matcher = PromptMatcher::new(&["login:"]).unwrap();
    assert!(matcher.feed(b"dut login: x\r\nPassword: # ").is_some());
    matcher.set_prompts(&["Password:"]).unwrap();
    assert!(matcher.feed(b"").is_some());
    matcher.set_prompts(&["login:"]).unwrap();
    assert!(matcher.feed(b"").is_none());
    matcher.set_prompts(&["# "]).unwrap();
    assert!(matcher.feed(b"").is_some());
}

#[test]
fn groups_are_told() {
    let mut matcher = PromptMatcher::new(&[r"<LAVA_SIGNAL_RETRUNCODE (\d+)>"]).unwrap();
    assert_eq!(matcher.feed(b"printf \"<LAVA_SIGNAL_RETRUNCODE $?>\\n\"\r\n"), None);
    let found = matcher.feed(b"<LAVA_SIGNAL_RETRUNCODE 12>\r\n").unwrap();
    assert_eq!(found.groups, [Some("12".to_string())]);
}

#[test]
fn a_prompt_that_is_no_regular_expression_is_named() {
    let error = PromptMatcher::new(&["fine", "root@(dut"]).unwrap_err().to_string();
    assert!(error.starts_with("prompt \"root@(dut\" is not a regular expression: "), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn endless_output_is_survived() {
    let mut matcher = PromptMatcher::new(&["root@dut:~# "]).unwrap();
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..64 {
        assert_eq!(matcher.feed(&chunk), None);
    }
    assert!(matcher.feed(b"\xff\xfe root@dut:~# ").is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_prompt_is_found_however_it_is_cut(before in "[ -~\\r\\n]{0,300}", at in 0usize..12, size in 1usize..20) {
        let record = "[    3.431496] usb 1-1\r\n";
        let text = format!("{before}\r\n{}{record}{}", &"root@dut:~# "[..at], &"root@dut:~# "[at..]);
        let mut matcher = PromptMatcher::new(&["root@dut:~# "]).unwrap();
        let found = text.as_bytes().chunks(size).find_map(|chunk| matcher.feed(chunk));
        prop_assert!(found.is_some());
    }
}
