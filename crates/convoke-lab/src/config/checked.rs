//! What is wrong with one device's configuration, for whoever writes it.

use convoke_device::{Dictionary, faults};
use convoke_job::{Diagnostic, Node, Source, Span, yaml};
use serde_json::{Map, Value};

use super::LabDevice;
use crate::ssh::Target;

/// A device's configuration as a job gets it, and its faults.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The configuration as YAML, which the findings point into; `None` for a device without one, and when its templates
    /// cannot be rendered.
    pub source: Option<Source>,
    /// The files that it comes from: the dictionary, the template it extends, and so on.
    pub chain: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Diagnostic>,
}

/// What ssh could not log in with.
fn login(root: &Node, dictionary: &Dictionary) -> Option<Diagnostic> {
    let wrong = Target::of_dictionary(dictionary).err()?;
    let methods = ["boot", "deploy"].map(|section| root.get("actions")?.get(section)?.get("methods")?.get("ssh"));
    let span = methods.into_iter().flatten().next().map_or(root.span, |node| node.span);
    Some(Diagnostic::error("device.ssh", "actions", span, wrong.message).help(wrong.help))
}

impl LabDevice {
    /// Checks its configuration for a job with this `context`.
    pub fn checked(&self, context: &Map<String, Value>) -> Checked {
        let fault = |message: String| {
            let mut finding = Diagnostic::error("lab.template", "", Span::default(), message);
            finding.labels.clear();
            finding.help(
                "template folders: `templates` of the lab file, the dictionary's, `../device-types`, those of LAVA",
            )
        };
        let mut chain = Vec::new();
        let source = match (&self.template, &self.dictionary) {
            (Some(template), _) => {
                let rendered = template.render(context);
                chain = template.chain();
                match rendered {
                    Ok(rendered) => rendered.source,
                    Err(wrong) => return Checked { source: None, chain, findings: vec![fault(wrong.to_string())] },
                }
            }
            (None, Some(dictionary)) => match serde_saphyr::to_string(&dictionary.document) {
                Ok(text) => Source::new(format!("{} (configuration)", self.name), text),
                Err(wrong) => return Checked { source: None, chain, findings: vec![fault(wrong.to_string())] },
            },
            (None, None) => return Checked { source: None, chain, findings: Vec::new() },
        };
        let (dictionary, mut findings) = Dictionary::read(&source);
        if let (Some(dictionary), (Some(root), _)) = (dictionary, yaml::parse(&source, yaml::Limits::default())) {
            findings.extend(faults::faults(&root, &dictionary));
            findings.extend(login(&root, &dictionary));
        }
        Checked { source: Some(source), chain, findings }
    }
}
