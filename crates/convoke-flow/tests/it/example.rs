//! The examples on the pages of codes: fenced blocks, and the document that a few lines of one stand for. The tests of the
//! program try those that are files.

/// The fenced blocks under a heading: what stands behind the fence, and the text.
pub(crate) fn examples(page: &str, heading: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = page.split_once(&format!("\n{heading}\n")) else { return Vec::new() };
    let mut rest = rest.split("\n## ").next().unwrap_or_default();
    let mut blocks = Vec::new();
    while let Some((_, block)) = rest.split_once("```") {
        let Some((info, block)) = block.split_once('\n') else { break };
        let Some((text, after)) = block.split_once("\n```") else { break };
        blocks.push((info.to_owned(), format!("{text}\n")));
        rest = after;
    }
    blocks
}

/// Whether an example is files and commands, which are tried with the program itself.
pub(crate) fn is_of_files(blocks: &[(String, String)]) -> bool {
    blocks.iter().any(|(info, _)| info.contains(' ') || info == "console")
}

const NAMES: &str = "job_name: example\nvisibility: public\n";
const TIMEOUTS: &str = "timeouts: {job: {minutes: 20}, action: {minutes: 4}}\n";
const GROUP: &str = "protocols:
  lava-multinode:
    timeout: {minutes: 3}
    roles:
      server: {device_type: sandbox, count: 1}
      client: {device_type: sandbox, count: 1}
";
const ACTIONS: &str = "actions:
- deploy: {to: sandbox}
- boot: {method: sandbox}
- test:
    definitions:
    - from: inline
      name: example
      path: inline/example.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: example}
        run: {steps: [lava-sync done]}
";

/// A job around a few of its top-level keys. What begins with another character than a key is a whole document.
pub(crate) fn whole(text: &str) -> String {
    let has = |key: &str| text.lines().any(|line| line.starts_with(&format!("{key}:")));
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return text.to_owned();
    }
    let single = has("device_type") && !has("protocols");
    let parts = [
        ("job_name", NAMES),
        ("timeouts", TIMEOUTS),
        ("protocols", if single { "" } else { GROUP }),
        ("actions", &if single { ACTIONS.replace("lava-sync done", "lava-self") } else { ACTIONS.to_owned() }),
    ];
    let mut whole: String = parts.iter().filter(|(key, _)| !has(key)).map(|(_, part)| *part).collect();
    if has("visibility") {
        whole = whole.replace("visibility: public\n", "");
    }
    whole + text
}

/// A job of scripts: `# ROLE`, `# ROLE × 3` or `# GUEST on HOST`, and the steps of that role.
pub(crate) fn scripts(text: &str) -> String {
    let mut roles: Vec<(String, u32, Option<String>, Vec<&str>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("# ") {
            Some(head) => {
                let (head, host) = match head.split_once(" on ") {
                    Some((head, host)) => (head, Some(host.to_owned())),
                    None => (head, None),
                };
                let (name, count) = head.split_once(" × ").unwrap_or((head, "1"));
                roles.push((name.to_owned(), count.parse().unwrap(), host, Vec::new()));
            }
            None => roles.last_mut().unwrap().3.push(line),
        }
    }
    let mut job = format!(
        "{NAMES}timeouts: {{job: {{minutes: 20}}, action: {{minutes: 1}}}}\nprotocols:\n  lava-multinode:\n    timeout: {{minutes: 3}}\n    roles:\n"
    );
    for (name, count, host, _) in &roles {
        job += &match host {
            None => format!("      {name}: {{device_type: sandbox, count: {count}}}\n"),
            Some(host) => format!(
                "      {name}: {{connection: ssh, count: {count}, host_role: {host}, expect_role: {host}, request: lava-start}}\n"
            ),
        };
    }
    let of = |guests: bool| -> Vec<&str> {
        roles.iter().filter(|(_, _, host, _)| host.is_some() == guests).map(|(name, ..)| name.as_str()).collect()
    };
    let (devices, guests) = (of(false).join(", "), of(true).join(", "));
    job += &format!(
        "actions:\n- deploy: {{role: [{devices}], to: sandbox}}\n- boot: {{role: [{devices}], method: sandbox, prompts: ['# ']}}\n"
    );
    if !guests.is_empty() {
        job += &format!(
            "- deploy: {{role: [{guests}], to: ssh, protocols: {{lava-multinode: [{{action: prepare-scp-overlay, request: lava-wait, messageID: ip, message: {{address: $address}}}}]}}}}\n"
        );
        job += &format!(
            "- boot: {{role: [{guests}], method: ssh, prompts: ['# '], parameters: {{hostID: ip, host_key: address}}}}\n"
        );
    }
    for (name, _, _, steps) in &roles {
        job += &format!(
            "- test:\n    role: [{name}]\n    timeout: {{minutes: 5}}\n    definitions:\n    - from: inline\n      name: {name}\n      path: inline/{name}.yaml\n      repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: {name}}}\n        run:\n          steps:\n"
        );
        for step in steps {
            job += &format!("          - {step}\n");
        }
    }
    job
}

const LEGACY: &str = r#"{
  "job_name": "example",
  "timeout": 900,
  "device_group": [
    {"role": "omap4", "count": 2, "device_type": "qemu"},
    {"role": "omap3", "count": 1, "device_type": "kvm"}
  ],
  "actions": [
    {"command": "deploy_linaro_image", "parameters": {"image": "http://h/i.img.gz"}},
    {"command": "lava_test_shell", "parameters": {"testdef_repos": [{"git-repo": "git://h/t.git", "testdef": "t.yaml"}], "timeout": 600}}
  ]
}"#;

/// A job of the first generation around a few of its keys; what has all of them is taken as it stands.
pub(crate) fn legacy(text: &str) -> String {
    let Ok(serde_json::Value::Object(own)) = serde_json::from_str::<serde_json::Value>(text) else {
        return text.to_owned();
    };
    if own.contains_key("job_name") {
        return text.to_owned();
    }
    let Ok(serde_json::Value::Object(mut whole)) = serde_json::from_str(LEGACY) else { unreachable!() };
    own.into_iter().for_each(|(key, value)| drop(whole.insert(key, value)));
    serde_json::to_string_pretty(&whole).unwrap()
}
