//! The test definitions of a block: the texts their scripts are made of, followed.

use std::sync::Arc;
use std::time::Duration;

use convoke_job::member::{Definition as Given, DefinitionFrom};
use convoke_job::node::NodeKind;
use convoke_job::{MemberJob, Node, Span};
use convoke_overlay::definition::TestDefinition;
use convoke_overlay::script::step_line;

use super::blocks::Scene;
use super::checkout::{Checkout, Loaded};
use super::scalar::{self, ByteMap};
use crate::follow::{self, Naming, Setting};
use crate::model::{Definition, Pause, Place, Step, Unknown, Why};

/// Reads the definitions of one block.
pub(super) struct Reader<'a, 'b> {
    pub(super) scene: &'a mut Scene<'b>,
    pub(super) member: &'a MemberJob,
    pub(super) naming: &'a Naming,
    /// Of a call from the test shell.
    pub(super) limit: Duration,
    /// A call that fails returns to the script.
    pub(super) goes_on: bool,
    /// Something depends on which member of its role it is.
    pub(super) is_own: bool,
}

/// A definition's document.
struct Document<'a> {
    node: &'a Node,
    text: &'a str,
    /// Index into the texts of the flow.
    index: usize,
    /// The definition's place in the job, when its document is another text.
    from: Option<Arc<Place>>,
}

impl Reader<'_, '_> {
    pub(super) fn definition(&mut self, given: &Given, node: Option<&Node>, span: Span) -> Definition {
        let place = self.scene.document.place_of(node.map(|node| node.get("name").unwrap_or(node)), span);
        let mut rest = Pause::default();
        let body = self.body(given, node, &place, &mut rest);
        Definition { name: given.name.clone(), place, body, rest }
    }

    fn body(&mut self, given: &Given, node: Option<&Node>, place: &Place, rest: &mut Pause) -> Vec<Step> {
        let opaque = |why| vec![Step::Opaque(Unknown { why, place: place.clone() })];
        let repositories = self.scene.repositories;
        let repository = repositories.get(given);
        match &given.from {
            DefinitionFrom::Inline(_) => {
                let document = self.scene.document;
                let Some(node) = node.and_then(|node| node.get("repository")) else { return Vec::new() };
                self.scripts(given, &Document { node, text: document.source.text(), index: 0, from: None }, place, rest)
            }
            DefinitionFrom::Git { repository: url, .. } | DefinitionFrom::Url { repository: url, .. } => {
                let Some(repository) = repository else { return opaque(Why::Elsewhere(url.clone())) };
                let Some(Loaded { text, index }) = self.scene.loaded.load(repository, &given.path, self.scene.texts)
                else {
                    return opaque(Why::Elsewhere(format!("{}/{}", repository.name, given.path)));
                };
                let (source, from) = (self.scene.texts[index].clone(), Some(Arc::new(place.clone())));
                match convoke_job::yaml::parse(&source, convoke_job::yaml::Limits::default()).0 {
                    Some(node) => self.scripts(given, &Document { node: &node, text: &text, index, from }, place, rest),
                    None => opaque(Why::Unreadable(format!("{} is no test definition", source.name()))),
                }
            }
        }
    }

    fn scripts(&mut self, given: &Given, document: &Document<'_>, place: &Place, rest: &mut Pause) -> Vec<Step> {
        let definition = match TestDefinition::from_value(&document.node.to_value()) {
            Ok(definition) => definition,
            Err(error) => {
                let why = Why::Unreadable(error.to_string());
                return vec![Step::Opaque(Unknown { why, place: place.clone() })];
            }
        };
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in definition.merged_parameters(&given.parameters) {
            parameters.push((name.to_owned(), value.unwrap_or_default().to_owned()));
        }
        let mut out = Vec::new();
        let skips = given.skip_install.iter().any(|skip| skip == "steps" || skip == "all");
        if !skips {
            let steps = document.node.get("install").and_then(|install| install.get("steps"));
            let script = script(steps, &definition.install_steps, document, |step| step.to_owned());
            if self.follow(given, script, &parameters, false, rest, &mut out) {
                // The definition does not run when its installation fails (device-side.md §5.3).
                out.push(Step::Stop(place.clone()));
                return out;
            }
        }
        let steps = document.node.get("run").and_then(|run| run.get("steps"));
        let script = script(steps, &definition.run_steps, document, step_line);
        self.follow(given, script, &parameters, true, rest, &mut out);
        out
    }

    /// Whether the script certainly fails.
    fn follow(
        &mut self,
        given: &Given,
        (text, map, index, from): (String, ByteMap, usize, Option<Arc<Place>>),
        parameters: &[(String, String)],
        errexit: bool,
        pause: &mut Pause,
        out: &mut Vec<Step>,
    ) -> bool {
        let repositories = self.scene.repositories;
        let mut files =
            Checkout { repository: repositories.get(given), texts: self.scene.texts, loaded: &mut self.scene.loaded };
        let followed = follow::follow(
            follow::Given { text: &text, map, index, from },
            Setting {
                naming: self.naming,
                files: &mut files,
                environment: &self.member.environment,
                parameters,
                limit: self.limit,
                pause: std::mem::take(pause),
                goes_on: self.goes_on,
                errexit,
            },
        );
        self.is_own |= followed.is_own;
        *pause = followed.pause;
        out.extend(followed.steps);
        followed.failed
    }
}

/// Steps as one script: its text, where that stands, and in which text of the flow.
fn script(
    list: Option<&Node>,
    steps: &[String],
    document: &Document<'_>,
    line: impl Fn(&str) -> String,
) -> (String, ByteMap, usize, Option<Arc<Place>>) {
    let nodes = list.and_then(Node::as_list).unwrap_or_default();
    // Empty ones are dropped from the steps.
    let nodes = nodes.iter().filter(|node| node.kind != NodeKind::Null);
    let (mut text, mut map) = (String::new(), ByteMap::default());
    for (node, step) in nodes.zip(steps) {
        let bytes = scalar::bytes(document.text, node, step);
        let line = line(step);
        let mut at = 0;
        for byte in line.bytes() {
            map.push(bytes.at(at));
            // What the line has more than the step is a backslash before a `$`.
            if step.as_bytes().get(at) == Some(&byte) {
                at += 1;
            }
        }
        map.push(Span::new(bytes.at(at).end, bytes.at(at).end));
        text.push_str(&line);
        text.push('\n');
    }
    (text, map, document.index, document.from.clone())
}
