//! A device whose configuration is one of LAVA's Jinja2 dictionaries: where its templates are, and what they say for a job.
//!
//! A template is looked for in the folders of `templates:`, beside the dictionary, in `../device-types` from there (LAVA's
//! own layout), and last in the folders of LAVA's package. The first one found is taken.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use convoke_device::Dictionary;
use convoke_device::template::{Found, TemplateFault, Templates};
use convoke_job::{Diagnostic, Source, yaml};
use serde_json::{Map, Value};

/// Where LAVA's package keeps device-type templates; those of the site go first.
const LAVA: &[&str] = &["/etc/lava-server/dispatcher-config/device-types", "/usr/share/lava-server/device-types"];
/// More than this is no template.
const MOST: u64 = 1 << 20;

/// Lines that quoted scalars go on with, at most.
const CONTINUED: usize = 100;
/// Deeper than any configuration nests.
const PAD: &str = "                                        ";

/// A dictionary to be rendered.
#[derive(Debug)]
pub struct DeviceTemplate {
    templates: Templates,
    /// Its name among the templates.
    file: String,
    place: PathBuf,
    device: String,
    device_type: String,
}

/// What a dictionary says for a job.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The YAML, which the findings point into.
    pub source: Source,
    /// What it means; `None` when a finding is an error.
    pub dictionary: Option<Dictionary>,
    /// What is wrong with it.
    pub findings: Vec<Diagnostic>,
}

impl DeviceTemplate {
    /// Whether a file is a template, by its name.
    pub(super) fn is_one(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "jinja2")
    }

    /// The dictionary at `place`, of a device with this name and type. Nothing is read before it is rendered.
    pub(super) fn new(place: &Path, folders: &[PathBuf], device: &str, device_type: &str) -> DeviceTemplate {
        let beside = place.parent().unwrap_or(Path::new("")).to_owned();
        let mut all = folders.to_vec();
        all.extend([beside.join("../device-types"), beside]);
        // The dictionary itself is where it is, whatever else has its name.
        let file = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (own, own_place) = (file.clone(), place.to_owned());
        all.extend(LAVA.iter().map(PathBuf::from));
        let templates = Templates::new(move |name| {
            if name == own {
                let found = read(&own_place)?;
                return found.ok_or_else(|| format!("{} does not exist", own_place.display())).map(Some);
            }
            let mut found = all.iter().map(|folder| read(&folder.join(name)));
            found.find_map(Result::transpose).transpose()
        });
        DeviceTemplate {
            templates,
            file,
            place: place.to_owned(),
            device: device.to_owned(),
            device_type: device_type.to_owned(),
        }
    }

    /// The file of the dictionary.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The files that were needed so far: the dictionary, what it extends, and so on.
    pub fn chain(&self) -> Vec<String> {
        self.templates.used().into_iter().map(|(_, place)| place).collect()
    }

    /// Renders it for a job with this `context` (job-definition.md §2.2). What the dictionary sets goes before the context.
    ///
    /// # Errors
    /// The first fault of a template.
    pub fn render(&self, context: &Map<String, Value>) -> Result<Rendered, TemplateFault> {
        let mut context = context.clone();
        context.insert("scheduled_device_name".into(), self.device.clone().into());
        context.insert("scheduled_device_type".into(), self.device_type.clone().into());
        let text = self.templates.render(&self.file, &context)?;
        let source = Source::new(format!("{} (rendered)", self.place.display()), indented(text));
        let (dictionary, findings) = Dictionary::read(&source);
        Ok(Rendered { source, dictionary, findings })
    }
}

/// LAVA's templates go on with a quoted scalar in the first column, which its reader takes and ours does not. Leading blanks
/// of such a line are no part of the scalar, so it is indented.
fn indented(mut text: String) -> String {
    for _ in 0..CONTINUED {
        let probe = Source::new("", text.as_str());
        let (_, findings) = yaml::parse(&probe, yaml::Limits::default());
        let quoted = findings.iter().find(|finding| finding.message.contains("invalid indentation in quoted scalar"));
        let Some(label) = quoted.and_then(|finding| finding.labels.first()) else { break };
        // The finding is where the scalar begins; lines after it that are indented already were done before.
        let lines = text[label.span.start..].match_indices('\n').map(|(at, _)| label.span.start + at + 1);
        let Some(line) = lines.into_iter().find(|at| !text[*at..].starts_with(PAD)) else { break };
        text.insert_str(line, PAD);
    }
    text
}

impl Rendered {
    /// The first error as one line: place and message.
    pub fn error(&self) -> Option<String> {
        self.findings.iter().find(|finding| finding.is_error()).map(|finding| line(finding, &self.source))
    }
}

/// `file:line:column: message`.
pub(super) fn line(finding: &Diagnostic, source: &Source) -> String {
    let at = finding.labels.first().map(|label| source.position(label.span.start));
    let at = at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    format!("{}{at}: {}", source.name(), finding.message)
}

/// A template of a file; `None` when there is no such file.
fn read(path: &Path) -> Result<Option<Found>, String> {
    let wrong = |why: String| format!("cannot read {}: {why}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MOST {
        return Err(wrong(format!("it is larger than {} KiB", MOST >> 10)));
    }
    Ok(Some(Found { text, place: path.display().to_string() }))
}
