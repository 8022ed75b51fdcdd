//! Definitions in repositories that are at hand: their scripts are read, and places lead into them.

use convoke_flow::{Flow, Repositories, Repository, read};
use convoke_job::member::{BlockKind, Definition, TestKind};

use crate::{one, show};

const JOB: &str = "job_name: repository\nvisibility: public\ntimeouts: {job: {hours: 1}}
protocols:
  lava-multinode:
    roles:
      server: {device_type: sandbox, count: 1}
      client: {device_type: sandbox, count: 1}
actions:
- deploy: {to: sandbox}
- boot: {method: sandbox}
- test:
    definitions:
    - {from: git, name: roles, repository: ../tests.git, path: net/roles.yaml, parameters: {ROUNDS: '2'}}
";

const FILES: [(&str, &str); 7] = [
    (
        "net/roles.yaml",
        "metadata: {format: Lava-Test Test Definition 1.0, name: roles}\nparams: {ROUNDS: '1'}\nrun:\n  steps:\n  - cd net\n  - ./run-$(lava-role).sh \"$ROUNDS\"\n  - sh -e after.sh\n",
    ),
    (
        "net/run-server.sh",
        "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\nserve \"$1\"\n[ -z \"$ROUNDS\" ] || lava-sync exported\n",
    ),
    (
        "net/run-client.sh",
        "#!/bin/bash\ncd ..\nDIR=$(cd \"$(dirname \"$0\")\" && pwd)\nsource net/lib.sh\n./net/use.sh\n",
    ),
    ("net/lib.sh", "serve() {\n  for round in $(seq \"$1\"); do lava-send ready-$round; done\n}\n"),
    ("net/use.sh", "lava-wait ready-1\n./missing.sh\n./bin/tool\npython3 net/call.py\nfi\nlava-sync never\n"),
    ("net/call.py", "subprocess.run(['lava-sync', 'python'])\n"),
    ("net/after.sh", "if ping -c 1 peer; then lava-sync reached; exit 0; fi\nlava-sync after\n"),
];

fn definition(job: &convoke_job::Job) -> &Definition {
    let definitions = job.actions.iter().find_map(|action| match &action.block.kind {
        BlockKind::Test(TestKind::Definitions(definitions)) => definitions.first(),
        _ => None,
    });
    definitions.unwrap()
}

fn flow(files: &[(&str, Option<&str>)]) -> Flow {
    let (job, source) = one::job(JOB);
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.map(str::to_owned))).collect();
    let mut repositories = Repositories::new();
    repositories.insert(definition(&job), Repository { name: "tests.git".into(), files });
    read(&job, &source, &repositories)
}

#[test]
fn scripts_are_read_with_their_places() {
    let mut files: Vec<(&str, Option<&str>)> = FILES.iter().map(|(path, text)| (*path, Some(*text))).collect();
    files.push(("bin/tool", None));
    insta::assert_snapshot!(show::flow(&flow(&files)));
}

#[test]
fn a_repository_without_the_definition_says_so() {
    insta::assert_snapshot!(show::flow(&flow(&[("README", Some("nothing"))])));
    insta::assert_snapshot!(show::flow(&flow(&[("net/roles.yaml", Some("- no definition"))])));
}
