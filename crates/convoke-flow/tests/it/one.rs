//! A job around one script, so that a test has to give nothing but the script.

use std::fmt::Write as _;

use convoke_flow::{Flow, Repositories, Step, read};
use convoke_job::{Job, Options, Source};

/// A group of one server and two clients of which all run `script` as one step. What stands in `head` goes before the
/// steps of the definition.
pub(crate) fn document(script: &str, head: &str) -> String {
    let mut steps = String::new();
    for line in script.lines() {
        writeln!(steps, "            {line}").unwrap();
    }
    format!(
        "job_name: one\nvisibility: public\ntimeouts: {{job: {{hours: 1}}, action: {{minutes: 10}}}}
protocols:
  lava-multinode:
    timeout: {{minutes: 1}}
    roles:
      server: {{device_type: sandbox, count: 1, environment: {{FROM_JOB: given}}}}
      client: {{device_type: sandbox, count: 2, environment: {{FROM_JOB: given}}}}
actions:
- deploy: {{to: sandbox}}
- boot: {{method: sandbox}}
- test:
    definitions:
    - from: inline
      name: one
      path: one.yaml
      parameters: {{PARAM: of-job}}
      repository:
        metadata: {{format: Lava-Test Test Definition 1.0, name: one}}
        params: {{PARAM: default, COUNT: 3}}
{head}        run:
          steps:
          - |2
{steps}"
    )
}

/// The same group with any text as the step; characters that a block scalar cannot hold are escaped.
pub(crate) fn document_of(script: &str) -> String {
    let quoted = serde_json::to_string(script).unwrap();
    document("SCRIPT", "").replace("- |2\n            SCRIPT\n", &format!("- {quoted}\n"))
}

#[track_caller]
pub(crate) fn job(document: &str) -> (Job, Source) {
    let source = Source::new("one", document);
    let checked = convoke_job::read(&source, &Options::default());
    let Some(job) = checked.job else { panic!("{document}\n{:?}", checked.diagnostics) };
    (job, source)
}

/// The flow of that job.
#[track_caller]
pub(crate) fn flow(script: &str) -> Flow {
    let (job, source) = job(&document(script, ""));
    read(&job, &source, &Repositories::new())
}

/// What a member does in the definition.
pub(crate) fn steps(flow: &Flow, member: usize) -> &[Step] {
    fn find(steps: &[Step]) -> Option<&[Step]> {
        steps.iter().find_map(|step| match step {
            Step::Block(block) => find(&block.body),
            Step::Definition(definition) => Some(definition.body.as_slice()),
            _ => None,
        })
    }
    find(&flow.members[member].steps).unwrap_or_default()
}
