//! Each rule on the smallest change of a good job: what it finds, and nothing else.

use crate::fixtures;

const GROUP: &str = "job_name: j
visibility: public
timeouts: {job: {minutes: 20}, action: {minutes: 4}}
protocols:
  lava-multinode:
    timeout: {minutes: 3}
    roles:
      server: {device_type: sandbox, count: 1}
      client: {device_type: sandbox, count: 2}
      guest: {connection: ssh, count: 1, host_role: server, expect_role: server, request: lava-start}
actions:
- deploy: {role: [server, client], to: sandbox}
- deploy: {role: guest, to: ssh, protocols: {lava-multinode: [{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {a: $a}}]}}
- boot: {role: [server, client], method: sandbox, prompts: ['# ']}
- boot: {role: guest, method: ssh, prompts: ['# '], parameters: {hostID: ip, host_key: a}}
- test:
    role: [server, client]
    timeout: {minutes: 5}
    definitions:
    - {from: git, repository: r, path: t.yaml, name: t}
    - from: inline
      path: i.yaml
      name: i
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: i}
        run: {steps: [lava-self]}
";

const SINGLE: &str = "job_name: j
visibility: public
timeouts: {job: {minutes: 20}}
device_type: qemu
actions:
- deploy: {to: tmpfs, images: {r: {url: 'http://h/i', image_arg: '-hda {r}'}}}
- boot: {method: qemu, prompts: ['# '], auto_login: {login_prompt: 'login:', username: root}}
- test: {definitions: [{from: git, repository: r, path: t.yaml, name: t}]}
";

/// What each change of a good job brings about.
fn report(base: &str, changes: &[(&str, &str)]) -> String {
    assert!(fixtures::check(base).diagnostics.is_empty(), "{}", fixtures::findings(base));
    let mut out = String::new();
    for (from, to) in changes {
        assert_eq!(base.matches(from).count(), 1, "{from:?} stands once in the job");
        out += &format!("{} => {}\n", from.trim(), to.trim());
        for finding in fixtures::check(&base.replace(from, to)).diagnostics {
            let severity = finding.severity.as_str();
            out += &format!("  {severity} {} at {}: {}\n", finding.code, finding.path, finding.message);
        }
    }
    out
}

#[test]
fn top_level() {
    let end = "device_type: qemu\n";
    let with = |text: &str| format!("{end}{text}\n");
    let added: Vec<String> = [
        "prio: 3",
        "device_group: []",
        "host_role: a",
        "priority: 101",
        "priority: high",
        "tags: a",
        "tags: [1]",
        "context: {arch: 1.5, cpu: [a, 1]}",
        "secrets: {a: 1}",
        "metadata: {1: a}",
        "environment: {1: a}",
        "reboot_to_fastboot: 'yes'",
        "protocols: {lava-xnbd: {port: auto}}",
        "protocols: {lava-lxc: {}}",
        "protocols: []",
        "notify: {}",
        "notify: {criteria: {status: done}, callback: {url: u}, callbacks: []}",
        "notify: {criteria: {status: all}, recipients: [{to: {method: email}}], verbosity: quiet}",
    ]
    .into_iter()
    .map(with)
    .collect();
    let mut changes = vec![
        ("job_name: j\n", ""),
        ("job_name: j", "job_name: 1234"),
        ("job_name: j", "job_name: ''"),
        ("visibility: public", "visibility: publik"),
        ("visibility: public", "visibility: {group: [a]}"),
        ("visibility: public", "visibility: {group: a}"),
        ("timeouts: {job: {minutes: 20}}", "timeouts: {}"),
        ("timeouts: {job: {minutes: 20}}\n", ""),
        ("- test: {definitions: [{from: git, repository: r, path: t.yaml, name: t}]}", "- tset: {}"),
        ("{url: 'http://h/i', image_arg: '-hda {r}'}", "{url: 'http://h/i'}"),
    ];
    changes.extend(added.iter().map(|text| (end, text.as_str())));
    insta::assert_snapshot!(report(SINGLE, &changes));
}

#[test]
fn timeouts() {
    let from = "timeouts: {job: {minutes: 20}}";
    let changes: Vec<String> = [
        "{job: {minutes: 20}, action: {minutes: 30}}",
        "{job: {minutes: 0}}",
        "{job: {}}",
        "{job: {skip: true}}",
        "{job: {weeks: 3}}",
        "{job: {minutes: 1.5}}",
        "{job: {seconds: -5}}",
        "{job: {minutes: '5'}}",
        "{job: 60}",
        "{job: 5m}",
        "{job: {days: 99999999}}",
        "{job: {hours: 1, minutes: 30}}",
        "{job: {minutes: 20}, acton: {minutes: 1}}",
        "{job: {minutes: 20}, actions: {http-downlod: {minutes: 1}, login-action: {hours: 1}}}",
    ]
    .into_iter()
    .map(|to| format!("timeouts: {to}"))
    .collect();
    let changes: Vec<_> = changes.iter().map(|to| (from, to.as_str())).collect();
    insta::assert_snapshot!(report(SINGLE, &changes));
}

#[test]
fn roles() {
    let server = "server: {device_type: sandbox, count: 1}";
    let guest = "{connection: ssh, count: 1, host_role: server, expect_role: server, request: lava-start}";
    let found = report(
        GROUP,
        &[
            ("    timeout: {minutes: 3}\n", "    timout: {minutes: 3}\n"),
            ("    timeout: {minutes: 3}\n", "    member-names: host\n"),
            ("    timeout: {minutes: 3}\n", "    on-sync-timeout: stop\n"),
            ("    timeout: {minutes: 3}\n", "    timeout: {minutes: 30}\n"),
            ("    timeout: {minutes: 3}\n", "    timeout: {minutes: 6}\n"),
            ("    roles:\n", "    rolls:\n"),
            (server, "server: {device_type: sandbox, count: 0}"),
            (server, "server: {device_type: sandbox, count: -1}"),
            (server, "server: {device_type: sandbox, count: 1.0}"),
            (server, "server: {device_type: sandbox, count: 99999}"),
            (server, "server: {count: 1}"),
            (server, "server: 3"),
            (server, "server: {device_type: sandbox, count: 1, device: d, worker: w, tags: [t]}"),
            (server, "server: {device_type: sandbox, count: 1, expect_role: client}"),
            (server, "server: {device_type: sandbox, count: 1, essential: 1, tag: [a], environment: [A]}"),
            ("client: {device_type: sandbox, count: 2}", "client: {device_type: sandbox, count: 2, device: d}"),
            (guest, "{connection: ssh, count: 1, expect_role: server}"),
            (guest, "{connection: ssh, count: 1, host_role: server}"),
            (guest, "{connection: ssh, count: 1, host_role: server, expect_role: srver}"),
            (guest, "{connection: ssh, count: 1, host_role: guest, expect_role: server}"),
            (guest, "{connection: ssh, count: 1, host_role: server, expect_role: server, request: lava-stop}"),
            (guest, "{connection: ssh, count: 1, host_role: server, expect_role: server, device: d}"),
            (guest, "{connection: telnet, count: 1, host_role: server, expect_role: server}"),
            ("      client:", "      1:"),
            ("      client:", "      -a b:"),
        ],
    );
    insta::assert_snapshot!(found);
}

#[test]
fn empty_groups() {
    let text = |roles: &str| {
        format!(
            "job_name: j\nvisibility: public\ntimeouts: {{job: {{minutes: 9}}}}\nactions: []\nprotocols: {{lava-multinode: {roles}}}\n"
        )
    };
    let all: String = ["{roles: {}}", "{roles: {a: {device_type: x, count: 0}}}", "{}", "[]", "{roles: [a]}", "~"]
        .into_iter()
        .map(|roles| format!("{roles}\n{}", fixtures::findings(&text(roles))))
        .collect();
    insta::assert_snapshot!(all);
}

#[test]
fn actions() {
    let deploy = "- deploy: {role: [server, client], to: sandbox}";
    let boot = "- boot: {role: [server, client], method: sandbox, prompts: ['# ']}";
    let found = report(
        GROUP,
        &[
            (deploy, "- deploy: {role: [server, client], to: sandbx}"),
            (deploy, "- deploy: {role: [server, client]}"),
            (deploy, "- deploy: sandbox"),
            (deploy, "- deploy"),
            (deploy, "- {deploy: {to: sandbox}, boot: {method: sandbox}}"),
            (deploy, "- deploy:\n  role: [server, client]\n  to: sandbox"),
            (deploy, "- deploy: {to: sandbox, too: sandbox}"),
            (deploy, "- deploy: {to: tmpfs}"),
            (deploy, "- deploy: {to: tmpfs, images: {}}"),
            (deploy, "- deploy: {to: tmpfs, images: {a: {url: /x, compression: rar}, b: {}}}"),
            (
                deploy,
                "- deploy: {to: tftp, kernel: {url: 'http://h/k', type: elf}, nfsrootfs: {url: 'http://h/n'}, persistent_nfs: {}}",
            ),
            (deploy, "- deploy: {to: docker, image: 'Debian:x'}"),
            (deploy, "- deploy: {to: docker, image: {local: true}}"),
            (deploy, "- deploy: {role: [server, client], to: sandbox, namespace: common}"),
            (
                deploy,
                "- deploy: {role: [server, client], to: sandbox, timeouts: {lava-overlay: {hours: 9}, http-download: {minutes: 1}}}",
            ),
            (deploy, "- deploy: {role: [server, client], to: sandbox, failure_retry: 0, repeat: two}"),
            (deploy, "- deploy: {role: [1, nobody], to: sandbox}"),
            (deploy, "- deploy: {role: [server, client], to: overlay, repeat: 2}"),
            (deploy, "- deploy: {role: [server, client], to: ssh, failure_retry: 2}"),
            (deploy, "- deploy: {role: [server, client], to: tftp, kernel: {url: 'http://h/k'}}"),
            (boot, "- boot: {role: [server, client], method: sandbox}"),
            (boot, "- boot: {role: [server, client], method: qemu}"),
            (boot, "- boot: {role: [server, client], method: u-boot, promts: ['# ']}"),
            (boot, "- boot: {role: [server, client], method: sandbox, prompts: []}"),
            (boot, "- boot: {role: [server, client], method: sandbox, prompts: ['> ']}"),
            (boot, "- boot: {role: [server, client], method: sandbox, prompts: ['# ', 'root@(dut:~# ']}"),
            (
                boot,
                "- boot: {role: [server, client], method: sandbox, prompts: '# ', auto_login: {login_prompt: '[', username: root, password_prompt: '*', password: x}}",
            ),
            (
                boot,
                "- boot: {role: [server, client], method: sandbox, prompts: '# ', auto_login: {username: root, password: x}}",
            ),
            (boot, "- boot: {role: [server, client], method: minimal, prompts: '# ', transfer_overlay: {}}"),
            (boot, "- boot: {role: [server, client], method: grub, commands: x}"),
            (boot, "- command: {}"),
            ("actions:\n", "actions: []\nx:\n"),
        ],
    );
    insta::assert_snapshot!(found);
}

#[test]
fn requests() {
    let requests = "[{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {a: $a}}]";
    let found = report(
        GROUP,
        &[
            (requests, "{action: prepare-scp-overlay, request: lava_wait, messageID: ip, message: {a: $a}}"),
            (requests, "[{action: prepare-scp-overlay, request: lava-wait, messageID: 'a b', message: {a: $a}}]"),
            (requests, "[{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {a: a}}]"),
            (requests, "[{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {b: $b}}]"),
            (requests, "[{action: prepare-scp-overlay, request: lava-wait, messageID: ip}]"),
            (requests, "[{action: prepare-scp-overlay, request: lava-get, messageID: ip}]"),
            (
                requests,
                "[{action: prepare-scp-overlay, request: lava-wait-all, role: servr, messageID: ip, message: {a: $a}}]",
            ),
            (
                requests,
                "[{action: prepare-scp-overlay, request: lava-wait, role: server, messageID: ip, message: {a: $a}}]",
            ),
            (requests, "[{action: scp-overlay, request: lava-send, messageID: s, message: {a: $a, 'b c': [1]}}]"),
            (requests, "[{action: scp-overlay, request: lava-sync, messageID: s, message: {a: 1}, colour: red}]"),
            (requests, "[3]"),
            (requests, "3"),
        ],
    );
    insta::assert_snapshot!(found);
}

#[test]
fn tests() {
    let git = "{from: git, repository: r, path: t.yaml, name: t}";
    let steps = "run: {steps: [lava-self]}";
    let found = report(
        GROUP,
        &[
            (git, "{from: git, repository: r, path: t.yaml, name: lava}"),
            (git, "{from: git, repository: r, path: t.yaml, name: a.b}"),
            (git, "{from: git, repository: r, path: t.yaml, name: 'a b'}"),
            (git, "{from: git, repository: r, path: t.yaml, name: 12}"),
            (git, "{from: git, repository: r, path: ../t.yaml, name: t}"),
            (git, "{from: git, repository: r, name: t, nmae: x}"),
            (git, "{from: svn, repository: r, path: t.yaml, name: t}"),
            (git, "{from: git, repository: r, path: t.yaml, name: t, revision: abc, shallow: true}"),
            (git, "{from: git, repository: r, path: t.yaml, name: t, revision: 0123456}"),
            (git, "{from: tar, repository: H4sI, path: t.yaml, name: t}"),
            (git, "{from: url, repository: 'http://h/t.tar', path: t.yaml, name: t, strip-components: -1}"),
            (
                git,
                "{from: git, repository: r, path: t.yaml, name: t, skip_install: [dep], lava-signal: udp, expected: a}",
            ),
            (git, "{from: git, repository: r, path: t.yaml, name: t, parameters: {a-b: 1, C: [1], D: ~}}"),
            (git, "{from: inline, repository: r, path: t.yaml, name: t}"),
            (git, "git"),
            (steps, "run: {steps: [echo a: b, true, ~]}"),
            (steps, "run: {}"),
            (steps, "run: {steps: [a]}\n        parse: {pattern: '(?P<test_case_id>\\S+ (?P<result>\\S+)'}"),
            (
                steps,
                "run: {steps: [a]}\n        parse: {pattern: '(?P<test_case_id>\\S+) \\S+', fixupdict: {OK: good}}",
            ),
            (
                steps,
                "run: {steps: [a]}\n        parse: {pattern: '(?P<test_case_id>\\S+)=(?P<result>\\S+)', fixupdict: {OK: pass}}",
            ),
            (steps, "rum: {steps: []}"),
            ("format: Lava-Test Test Definition 1.0, name: i", "name: i"),
            ("    timeout: {minutes: 5}\n", "    timeout: {minutes: 5}\n    monitors: []\n"),
            ("    timeout: {minutes: 5}\n", "    timeout: {minutes: 5}\n    docker: {}\n"),
            ("    timeout: {minutes: 5}\n    definitions:", "    definition:"),
            ("run: {steps: [lava-self]}\n", "run: {steps: [lava-sync a]}\n    repeat: 2\n"),
        ],
    );
    insta::assert_snapshot!(found);
}

/// One board with two consoles: monitors, scripts and definitions.
const CONSOLES: &str = "job_name: j
visibility: public
timeouts: {job: {minutes: 20}}
protocols:
  lava-multinode:
    roles:
      board: {device_type: board, count: 1}
      peer: {device_type: sandbox, count: 1}
actions:
- deploy: {namespace: main, role: [board], to: overlay}
- boot: {namespace: main, role: [board], method: minimal, prompts: ['# ']}
- boot: {namespace: mcu, role: [board], method: new_connection, connection: uart1}
- deploy: {role: [peer], to: sandbox}
- boot: {role: [peer], method: sandbox}
- test:
    namespace: main
    role: [board]
    definitions:
    - {from: git, repository: r, path: t.yaml, name: t}
- test:
    namespace: mcu
    role: [board]
    monitors:
    - {name: m, start: a, end: b, pattern: '(?P<test_case_id>x) (?P<result>y)', fixupdict: {y: pass}, expected: [x]}
- test:
    namespace: mcu
    role: [board]
    interactive:
    - name: s
      prompts: ['> ']
      echo: discard
      expected: [one]
      script:
      - {name: one, command: help, delay: 1, successes: [{message: ok}], failures: [{message: bad, exception: JobError, error: e}]}
      - {command: ~, wait_for_prompt: false}
      - {lava-send: 'addr ip={ip} name=a b'}
      - {lava-wait-all: 'ready role=peer'}
";

#[test]
fn consoles() {
    let monitor = "{name: m, start: a, end: b, pattern: '(?P<test_case_id>x) (?P<result>y)', fixupdict: {y: pass}, expected: [x]}";
    let one = "{name: one, command: help, delay: 1, successes: [{message: ok}], failures: [{message: bad, exception: JobError, error: e}]}";
    let first = "namespace: main\n    role: [board]\n    definitions";
    let boot = "- boot: {namespace: main, role: [board], method: minimal, prompts: ['# ']}";
    let send = "{lava-send: 'addr ip={ip} name=a b'}";
    let wait = "{lava-wait-all: 'ready role=peer'}";
    let found = report(
        CONSOLES,
        &[
            (first, "namespace: mian\n    role: [board]\n    definitions"),
            (first, "namespace: mcu\n    role: [board]\n    definitions"),
            (first, "namespace: main\n    connection-namespace: mcu\n    role: [board]\n    definitions"),
            (first, "namespace: main\n    connection-namespace: usb\n    role: [board]\n    definitions"),
            (first, "role: [peer]\n    definitions"),
            (boot, "- boot: {namespace: main, role: [board], method: minimal}"),
            (boot, ""),
            (boot, "- boot: {namespace: main, role: [board], method: minimal, prompts: ['# '], soft_reboot: [reboot]}"),
            (
                boot,
                "- boot: {namespace: main, role: [board], method: minimal, prompts: ['# '], soft_reboot: [], reset: false, \
                 parameters: {shutdown-message: '['}}",
            ),
            ("connection: uart1}", "connection: uart1, prompt: x}"),
            (", connection: uart1}", "}"),
            (monitor, "{name: m, start: a, end: b, pattern: 'x', fixupdict: {y: good}, expected: x, patern: x}"),
            (monitor, "{name: 'a b', start: '[', end: '', pattern: 3}"),
            (monitor, "m"),
            ("    echo: discard", "    echo: keep"),
            ("prompts: ['> ']", "prompts: []"),
            ("expected: [one]", "expected: [ones]"),
            (one, "{name: one, commnd: help}"),
            (one, "{name: one, command: \"a\\nb\\n\", delay: -1, wait_for_prompt: 1}"),
            (one, "{name: one, command: 1}"),
            (one, "{name: one, command: a, successes: [ok, {mesage: ok}, {message: '('}], failures: {message: ok}}"),
            (one, "{name: one, command: a, failures: [{message: a, exception: OSError}, {message: b, error: x}]}"),
            (send, "{lava-send: 'addr 192.0.2.1'}"),
            (send, "{lava-send: 'addr ip=1', lava-sync: a}"),
            (send, "{lava-send: 'addr ip=1', name: x}"),
            (send, "{lava-send: }"),
            (send, "{lava-sync: 'a b'}"),
            (wait, "{lava-wait-all: 'ready role=pear'}"),
        ],
    );
    insta::assert_snapshot!(found);
}

#[test]
fn a_script_of_a_single_job_calls_nobody() {
    let script = "{interactive: [{name: s, prompts: ['> '], script: [{lava-wait: a}]}]}";
    let test = "{definitions: [{from: git, repository: r, path: t.yaml, name: t}]}";
    let found = report(SINGLE, &[(test, script)]);
    assert!(
        found.contains("error test.interactive at actions[2].test.interactive[0].script[0].lava-wait: "),
        "{found}"
    );
}

#[test]
fn a_flood_of_findings_is_cut() {
    let keys: String = (0..2000).map(|number| format!("key{number}: 1\n")).collect();
    let found = fixtures::check(&format!("{SINGLE}{keys}")).diagnostics;
    assert_eq!(found.len(), 1001);
    assert_eq!(found.last().unwrap().code, "findings.cut");
    assert_eq!(found.last().unwrap().message, "1000 more findings are not listed");
}

#[test]
fn a_flood_of_actions_is_refused() {
    let command = "- command: {name: x}\n".repeat(2000);
    let found = fixtures::check(&format!("{SINGLE}{command}")).diagnostics;
    assert!(found.iter().any(|finding| finding.code == "action.count"), "{found:?}");
}

#[test]
fn findings_for_programs() {
    let text = SINGLE.replace("device_type", "devicetype");
    let source = convoke_job::Source::new("job.yaml", text);
    let found: Vec<_> = convoke_job::read(&source, &Default::default())
        .diagnostics
        .iter()
        .map(|finding| finding.to_json(&source))
        .collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(&found).unwrap());
}

/// `downloads://NAME` is something that an earlier block of the same member leaves.
#[test]
fn what_is_downloaded_before() {
    let deploy = "- deploy: {to: tmpfs, images: {r: {url: 'http://h/i', image_arg: '-hda {r}'}}}";
    let left = "- deploy: {to: downloads, images: {root: {url: 'http://h/a/root.img.gz', compression: gz}}}";
    let used = |name: &str| deploy.replace("http://h/i", &format!("downloads://{name}"));
    let found = report(
        SINGLE,
        &[
            (deploy, &format!("{left}\n{}", used("root.img"))),
            (deploy, &format!("{left}\n{}", used("root.img.gz"))),
            (deploy, &used("root.img")),
            (deploy, &format!("{}\n{left}", used("root.img"))),
            (deploy, &format!("{}\n{}", left.replace("images", "uniquify: true, images"), used("root/root.img"))),
            (deploy, &format!("{}\n{}", left.replace("images", "postprocess: {docker: {}}, images"), used("x"))),
            (deploy, &format!("{}\n{}", left.replace("root.img.gz", "{NAME}"), used("x"))),
            (
                deploy,
                "- deploy: {to: tmpfs, images: {r: {url: 'http://h/i', image_arg: '-hda {r}', format: tar, \
                 overlays: {o: {url: 'downloads://o', format: tar, path: /}}}}}",
            ),
        ],
    );
    insta::assert_snapshot!(found);
}

/// A group of `roles` roles with `count` members each, and a script of `steps` steps for each role.
fn group_of(roles: usize, count: usize, steps: usize) -> String {
    let mut job =
        "job_name: j\nvisibility: public\ntimeouts: {job: {minutes: 20}, action: {minutes: 4}}\nprotocols:\n  \
                   lava-multinode:\n    roles:\n"
            .to_owned();
    (0..roles).for_each(|role| job += &format!("      r{role}: {{device_type: sandbox, count: {count}}}\n"));
    job += "actions:\n- deploy: {to: sandbox}\n- boot: {method: sandbox}\n";
    for role in 0..roles {
        job += &format!(
            "- test:\n    role: [r{role}]\n    definitions:\n    - from: inline\n      name: t\n      path: t.yaml\n      \
             repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: t}}\n        run:\n          steps:\n"
        );
        (0..steps).for_each(|step| job += &format!("          - lava-sync round-{role}-{step}\n"));
    }
    job
}

#[test]
fn a_thousand_members_with_a_hundred_calls_each_are_a_job() {
    for (roles, count) in [(1, 1000), (10, 100), (100, 10)] {
        let checked = fixtures::check(&group_of(roles, count, 100));
        assert!(checked.job.is_some(), "{roles} roles: {:?}", checked.diagnostics.first());
    }
}

#[test]
fn what_splitting_would_make_of_a_job_is_bounded() {
    let job = group_of(1, 10_000, 1000);
    let checked = fixtures::check(&job);
    let codes: Vec<&str> = checked.diagnostics.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["multinode.size"], "{} bytes", job.len());
}
