//! lava-send: what one line can carry goes out unharmed, anything else is refused by name (device-side.md §6.2, D1–D7).

use crate::device::{Device, each_shell};

/// Steps, and all they print.
#[track_caller]
fn check(steps: &str, expected: &str) {
    each_shell(|shell| assert_eq!(Device::new(shell).run(steps), expected, "{steps}"));
}

#[test]
fn keeps_keys_and_values_as_they_are() {
    check(
        "lava-send server-ready free-space=5G\n\
         lava-send two a=1 free-space=5G b=2\n\
         lava-send eq e=a=b==c\n\
         lava-send sp 'k=x  y' 'w=at 12:30'\n\
         lava-send glob 's=*' 'p=/e*/p?ss*'\n\
         lava-send bs 'k=c:\\new\\tab\\c' 'n=%s%d%%' 'o=$HOME `x`' 'q=\"it'\"'\"'s\"'\n\
         lava-send none k= j=1\n\
         lava-send u8 'k=grün ↔ 日本'\n\
         lava-send plain\n\
         lava-send -n k=1\n",
        "<LAVA_MULTI_NODE> <LAVA_SEND server-ready free-space=5G>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND two a=1 free-space=5G b=2>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND eq e=a=b==c>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND sp k=x  y w=at 12:30>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND glob s=* p=/e*/p?ss*>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND bs k=c:\\new\\tab\\c n=%s%d%% o=$HOME `x` q=\"it's\">\n\
         <LAVA_MULTI_NODE> <LAVA_SEND none k= j=1>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND u8 k=grün ↔ 日本>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND plain>\n\
         <LAVA_MULTI_NODE> <LAVA_SEND -n k=1>\n",
    );
}

#[test]
fn last_of_equal_keys_wins() {
    check("lava-send m a=1 b=2 a=3\n", "<LAVA_MULTI_NODE> <LAVA_SEND m b=2 a=3>\n");
}

#[test]
fn refuses_bad_message_ids() {
    let steps = "for call in lava-send lava-wait lava-wait-all lava-sync; do\n\
                 for id in '' 'a b' 'a=b' 'a<b' 'a>b' \"$(printf 'a\\tb')\" \"$(printf 'a\\001b')\"; do\n\
                 $call \"$id\" 2>/dev/null || echo $call $?\ndone\n$call 'x y' || true\ndone\n";
    let expected = ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"].map(|call| {
        let why = "a message ID has no blanks, no control characters and none of < > =";
        format!("{}{call}: bad message ID 'x y': {why}\n", format!("{call} 1\n").repeat(7))
    });
    check(steps, &expected.concat());
}

#[test]
fn refuses_bad_keys() {
    check(
        "for key in '' .a -b 'c d' 'e/f' 'g*' ü; do lava-send m ok=1 \"$key=1\" || echo status $?; done\n",
        &["", ".a", "-b", "c d", "e/f", "g*", "ü"]
            .map(|key| {
                format!(
                    "lava-send: bad key '{key}': letters, digits and _, then also . and -; nothing sent\nstatus 1\n"
                )
            })
            .concat(),
    );
}

#[test]
fn refuses_values_that_a_line_cannot_carry() {
    check(
        "lava-send m ok=1 'g=p>q' || echo status $?\n\
         lava-send m \"n=$(printf 'a\\nb')\" || echo status $?\n\
         lava-send m \"t=$(printf 'a\\tb')\" || echo status $?\n\
         lava-send m 'x=a b.c-d=e' || echo status $?\n\
         lava-send m 'x= b=' || echo status $?\n",
        "lava-send: the value of g has a '>', which the console line cannot carry; nothing sent\nstatus 1\n\
         lava-send: the value of n has a line end or control character; nothing sent\nstatus 1\n\
         lava-send: the value of t has a line end or control character; nothing sent\nstatus 1\n\
         lava-send: the value of x has ' b.c-d=' in it, which would be read as a key of its own; nothing sent\nstatus 1\n\
         lava-send: the value of x has ' b=' in it, which would be read as a key of its own; nothing sent\nstatus 1\n",
    );
}

#[test]
fn leaves_out_what_is_no_pair() {
    check(
        "lava-send m one a=1 /two\n",
        "lava-send: 'one' is no KEY=VALUE and is left out\n\
         lava-send: '/two' is no KEY=VALUE and is left out\n\
         <LAVA_MULTI_NODE> <LAVA_SEND m a=1>\n",
    );
}

#[test]
fn words_that_only_look_like_pairs_are_carried() {
    check(
        "lava-send m 'x=a /b=c' 'y=1 -d=2' 'z=q .e=f'\n",
        "<LAVA_MULTI_NODE> <LAVA_SEND m x=a /b=c y=1 -d=2 z=q .e=f>\n",
    );
}

#[test]
fn carries_long_values_and_refuses_too_long_ones() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("long", &"x".repeat(50_000));
        let steps = format!(
            "cd '{}'\nlava-send m \"k=$(cat long)\"\nlava-send m \"a=$(cat long)\" \"b=$(cat long)\" || echo $?\n",
            device.path("").display()
        );
        let expected = format!(
            "<LAVA_MULTI_NODE> <LAVA_SEND m k={}>\n\
             lava-send: the message is longer than 60000 characters; nothing sent\n1\n",
            "x".repeat(50_000)
        );
        assert!(device.run(&steps) == expected);
    });
}

#[test]
fn says_how_it_is_called() {
    check(
        "lava-send || echo $?\nlava-wait || echo $?\nlava-wait a b || echo $?\nlava-wait-all a b c || echo $?\nlava-sync a b || echo $?\n",
        "usage: lava-send MESSAGE-ID [KEY=VALUE]...\n1\n\
         usage: lava-wait MESSAGE-ID\n1\nusage: lava-wait MESSAGE-ID\n1\n\
         usage: lava-wait-all MESSAGE-ID [ROLE]\n1\nusage: lava-sync MESSAGE-ID\n1\n",
    );
}
