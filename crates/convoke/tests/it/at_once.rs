//! Two groups with QEMU machines at the same time: each has the same addresses and names as the other, and neither notices.

use serde_json::{Value, json};

use crate::harness::{Place, Run, Running, User};
use crate::machines::{APPEND, applied, image, job as machine};

/// A machine serves `word` over the group's network, and waits until its peer has found it there.
fn job(word: &str) -> Value {
    let mut single = machine(applied(), &[]);
    let kernel = format!("-kernel {{kernel}} -append \"{APPEND} guest_address=dhcp\"");
    single["actions"][0]["deploy"]["images"]["kernel"]["image_arg"] = kernel.into();
    let mut actions = single["actions"].as_array().unwrap()[..2].to_vec();
    actions[0]["deploy"]["role"] = json!(["server"]);
    actions[1]["boot"]["role"] = json!(["server"]);
    let test = |role: &str, steps: &[&str]| {
        json!({"test": {"role": [role], "definitions": [{
            "from": "inline", "name": role, "path": "inline/steps.yaml",
            "repository": {
                "metadata": {"format": "Lava-Test Test Definition 1.0", "name": role},
                "run": {"steps": steps},
            },
        }]}})
    };
    let write = format!("mkdir /tmp/www && echo {word} > /tmp/www/word");
    let send = format!("lava-send ready ip=$(lava-echo-ipv4 eth0) word={word}");
    let fetched = format!("lava-test-case fetched --shell sh -c 'test \"$(cat /root/fetched)\" = {word}'");
    actions.extend([
        json!({"deploy": {"role": ["client"], "to": "sandbox"}}),
        json!({"boot": {"role": ["client"], "method": "sandbox"}}),
        test("server", &[&write, "httpd -p 8080 -h /tmp/www", &send, "lava-sync done"]),
        test(
            "client",
            &[
                "lava-wait ready",
                "IP=$(sed -n 's/.*ip=//p' /tmp/lava_multi_node_cache.txt | head -n 1)",
                "wget -q -O /root/fetched http://$IP:8080/word",
                &fetched,
                &format!("lava-test-case told --shell grep -q word={word}$ /tmp/lava_multi_node_cache.txt"),
                "lava-sync done",
            ],
        ),
    ]);
    json!({
        "job_name": word,
        "visibility": "public",
        "timeouts": single["timeouts"],
        "protocols": {"lava-multinode": {
            "timeout": {"minutes": 4},
            "roles": {
                "server": {"device_type": "qemu", "count": 1, "context": single["context"]},
                "client": {"device_type": "sandbox", "count": 1},
            },
        }},
        "actions": actions,
    })
}

#[test]
fn two_groups_with_machines_run_at_once() {
    let start = |user, word: &str| {
        let place = Place::new(user);
        for name in ["vmlinuz", "base.cpio"] {
            place.write(name, std::fs::read(image(name)).unwrap());
        }
        let ours = image("vmlinuz").parent().unwrap().display().to_string();
        let file = place.write("job.yaml", job(word).to_string().replace(&format!("file://{ours}"), "."));
        let child = place.command(&["run", file.to_str().unwrap(), "--output", "run"]).spawn().unwrap();
        (place, Running(child))
    };
    let runs = [(start(User::Root, "first"), "first"), (start(User::Ordinary, "second"), "second")];
    for ((place, running), word) in runs {
        let ended = running.output().into();
        let run = Run { ended, dir: place.path("run") };
        run.expect(0).has("client", "fetched", "pass", 1).has("client", "told", "pass", 1);
        assert!(run.file("journal.jsonl").contains(&format!("\"job_name\":\"{word}\"")));
    }
}
