//! Scripts in which everything is known, made from a tape of numbers: smaller numbers make simpler scripts.

use std::fmt::Write as _;

/// The numbers, one after the other; zeros when they are used up.
struct Tape<'a> {
    numbers: &'a [u16],
    at: usize,
    counters: usize,
}

/// Where a command stands.
#[derive(Clone, Copy)]
struct Place {
    level: usize,
    is_loop: bool,
    /// Functions call none: a script ends.
    is_function: bool,
    /// In a function, but in no shell of its own, which `return` would end in different ways.
    may_return: bool,
}

const VARIABLES: [&str; 4] = ["a", "b", "PARAM", "FROM_JOB"];

pub(super) fn script(numbers: &[u16]) -> String {
    let mut tape = Tape { numbers, at: 0, counters: 0 };
    let mut out = String::from("a=1; b=two\n");
    for name in ["first", "second"] {
        if tape.pick(2) == 1 {
            writeln!(out, "{name}() {{").unwrap();
            tape.commands(Place { level: 1, is_loop: false, is_function: true, may_return: true }, &mut out);
            out.push_str("}\n");
        } else {
            writeln!(out, "{name}() {{ lava-sync {name}-$1; }}").unwrap();
        }
    }
    tape.commands(Place { level: 0, is_loop: false, is_function: false, may_return: false }, &mut out);
    out.push_str("lava-sync end\n");
    out
}

impl Tape<'_> {
    fn pick(&mut self, of: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(number) % of
    }

    fn variable(&mut self) -> &'static str {
        VARIABLES[self.pick(4)]
    }

    fn commands(&mut self, place: Place, out: &mut String) {
        for _ in 0..=self.pick(4) {
            self.command(place, out);
        }
    }

    fn block(&mut self, place: Place, out: &mut String) {
        self.commands(Place { level: place.level + 1, ..place }, out);
    }

    /// Text that is one word.
    fn word(&mut self) -> String {
        let variable = self.variable();
        match self.pick(15) {
            0 => "m".into(),
            1 => format!("\"m-${variable}\""),
            2 => format!("m${{{variable}}}x"),
            3 => format!("\"${{{variable}:-none}}\""),
            4 => format!("\"m${{{variable}%o*}}\""),
            5 => format!("\"m${{{variable}#?}}\""),
            6 => format!("m$(echo ${variable} | tr a-z A-Z)"),
            7 => "m$((2 * 3 + 1))".into(),
            8 => format!("'m'\"`echo ${variable}`\""),
            9 => "m-$#".into(),
            10 => "\"m${1:-unset}\"".into(),
            11 => "m-$(lava-role)".into(),
            12 => "m$?".into(),
            13 => format!("\"m${{{variable}:+set}}\""),
            _ => format!("\"m${{#{variable}}}\""),
        }
    }

    fn call(&mut self) -> String {
        let word = self.word();
        match self.pick(5) {
            0 => format!("lava-sync {word}"),
            3 => format!("lava-send {word}-$(lava-self) of=$(lava-role)"),
            1 => format!("lava-wait {word}"),
            2 => format!("lava-wait-all {word} client"),
            _ => format!("lava-send {word} k={}", self.word()),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let variable = self.variable();
        match self.pick(if depth > 1 { 8 } else { 13 }) {
            0 => "true".into(),
            1 => "false".into(),
            2 => format!("[ \"${variable}\" = two ]"),
            3 => format!("[ \"${variable}\" != given ]"),
            4 => "[ \"$COUNT\" -lt 4 ]".into(),
            5 => format!("test -n \"${variable}\""),
            6 => self.call(),
            7 => format!("echo ${variable} | grep -q o"),
            8 => format!("! {{ {}; }}", self.condition(depth + 1)),
            9 => format!("{} && {}", self.condition(depth + 1), self.condition(depth + 1)),
            10 => format!("{} || {}", self.condition(depth + 1), self.condition(depth + 1)),
            11 => format!("{{ {}; }}", self.condition(depth + 1)),
            _ => format!("( {} )", self.condition(depth + 1)),
        }
    }

    fn command(&mut self, place: Place, out: &mut String) {
        let variable = self.variable();
        let kinds = if place.level > 1 { 9 } else { 24 };
        match self.pick(kinds) {
            0 => writeln!(out, "{}", self.call()),
            1 => writeln!(out, "{variable}={}", self.word()),
            2 => writeln!(out, "{variable}=$(echo {} | cut -c 1-3)", self.word()),
            3 => writeln!(out, "set -- {} {}", self.word(), self.word()),
            4 => writeln!(out, "{} && {} || {}", self.condition(1), self.call(), self.call()),
            5 if !place.is_function => writeln!(out, "first {}", self.word()),
            6 if !place.is_function => writeln!(out, "second {} || {}", self.word(), self.call()),
            7 if place.is_loop => writeln!(out, "{} && {}", self.condition(1), ["break", "continue"][self.pick(2)]),
            8 if place.may_return => {
                let status = self.pick(3);
                writeln!(out, "if {}; then return {status}; fi", self.condition(1))
            }
            5..=8 => writeln!(out, "lava-test-case t --shell {}", self.call()),
            9 | 10 => {
                writeln!(out, "if {}; then", self.condition(0)).unwrap();
                self.block(place, out);
                if self.pick(2) == 1 {
                    writeln!(out, "elif {}; then", self.condition(0)).unwrap();
                    self.block(place, out);
                }
                if self.pick(2) == 1 {
                    out.push_str("else\n");
                    self.block(place, out);
                }
                writeln!(out, "fi")
            }
            11 => {
                writeln!(out, "for {variable} in {} b{}; do", self.word(), self.pick(3)).unwrap();
                self.block(Place { is_loop: true, ..place }, out);
                writeln!(out, "done")
            }
            12 => {
                // Names are compared with nothing: what they are is not known before a run.
                let lists = ["$(seq 3)", "$(lava-group | cut -f 2)", "\"$@\"", "$b $a", "$(lava-group client)"];
                let list = lists[self.pick(5)];
                let variable = if list.ends_with("client)") { "peer" } else { variable };
                writeln!(out, "for {variable} in {list}; do\nlava-sync \"m-${variable}\"").unwrap();
                self.block(Place { is_loop: true, ..place }, out);
                writeln!(out, "done")
            }
            13 => {
                self.counters += 1;
                let counter = format!("c{}", self.counters);
                let (word, sign) = [("while", "-lt"), ("until", "-ge")][self.pick(2)];
                writeln!(out, "{counter}=0\n{word} [ ${counter} {sign} 3 ]; do\n{counter}=$(({counter} + 1))").unwrap();
                self.block(Place { is_loop: true, ..place }, out);
                writeln!(out, "done")
            }
            14 => {
                writeln!(out, "case ${variable} in\n1|2) {} ;;\n*o) {} ;;\ng?v*)", self.call(), self.call()).unwrap();
                self.block(place, out);
                writeln!(out, ";;\n[!a-f]*) {} ;;\nesac", self.call())
            }
            15 => {
                out.push_str("(\n");
                self.block(Place { is_loop: false, may_return: false, ..place }, out);
                writeln!(out, "{}) || {}", ["", "exit 3\n", "exit 0\n"][self.pick(3)], self.call())
            }
            16 => {
                out.push_str("{\n");
                self.block(place, out);
                writeln!(out, "}} >/dev/null")
            }
            17 => {
                writeln!(out, "printf '%s\\n' one {} three | while read -r {variable}; do", self.word()).unwrap();
                self.block(Place { is_loop: true, may_return: false, ..place }, out);
                writeln!(out, "done")
            }
            18 => {
                writeln!(out, "while read -r {variable} rest; do").unwrap();
                self.block(Place { is_loop: true, ..place }, out);
                writeln!(out, "done <<END\nx {}\n${variable} z\nEND", self.word().replace(['\'', '"'], ""))
            }
            19 => writeln!(out, "eval \"{variable}=new; lava-sync e-\\${variable}\""),
            20 => writeln!(out, "sh -c 'lava-sync \"$0-$1-${{FROM_JOB}}\"' {} {}", self.word(), self.word()),
            21 => writeln!(out, "{variable}=$({}; echo got)", self.call()),
            22 => writeln!(out, "if {}; then exit; fi", self.condition(0)),
            _ => writeln!(out, "set +e\n{}\nset -e", self.condition(0)),
        }
        .unwrap();
    }
}
