//! LAVA's device dictionaries and device-type templates, rendered (server-api.md §7).
//!
//! A [`Templates`] finds templates through a function that it is given, so nothing here touches a file. What it renders is
//! byte for byte what Jinja2 makes of it with LAVA's settings: blocks take the newline after them with them, nothing is
//! escaped, what is not defined prints as nothing, the last newline is dropped.
//!
//! A fault names the template and the line. Whatever a template says, rendering ends: instructions, nesting and output are
//! bounded.
//!
//! | module | is about |
//! |---|---|
//! | `python` | values as Python prints them |
//! | `additions` | LAVA's filters, and methods of Python that are missing |
//! | [`fault`] | what is wrong with a template, and where |

mod additions;
pub mod fault;
mod python;

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use serde_json::{Map, Value};

pub use fault::TemplateFault;

/// Instructions that one rendering may take; the largest of LAVA's templates takes a few thousand.
const FUEL: u64 = 1_000_000;
/// Templates, blocks and macros inside each other.
const DEPTH: usize = 60;
/// Bytes that one rendering may print.
const MOST: usize = 1 << 20;

/// A template that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its text.
    pub text: String,
    /// Where it is, for messages: a path.
    pub place: String,
}

/// Templates that know each other by name.
pub struct Templates {
    environment: Environment<'static>,
    /// Name and place of each that was needed, in that order.
    used: Arc<Mutex<Vec<(String, String)>>>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").field("used", &self.used()).finish_non_exhaustive()
    }
}

impl Templates {
    /// Templates that `find` finds by name: `None` when there is none, an error when it cannot be had.
    pub fn new(find: impl Fn(&str) -> Result<Option<Found>, String> + Send + Sync + 'static) -> Templates {
        let used: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH);
        environment.set_formatter(python::format);
        additions::add(&mut environment);
        let known = Arc::clone(&used);
        environment.set_loader(move |name| {
            if !is_plain(name) {
                let why = format!("{name:?} is no name of a template: it would leave the template folders");
                return Err(Error::new(ErrorKind::InvalidOperation, why));
            }
            let found = find(name).map_err(|why| Error::new(ErrorKind::InvalidOperation, why))?;
            Ok(found.map(|Found { text, place }| {
                // One that cannot be parsed is asked for again each time.
                let (mut known, this) =
                    (known.lock().unwrap_or_else(PoisonError::into_inner), (name.to_owned(), place));
                if !known.contains(&this) {
                    known.push(this);
                }
                text
            }))
        });
        Templates { environment, used }
    }

    /// Renders a template.
    ///
    /// # Errors
    /// The first fault, in whichever of the templates it is.
    pub fn render(&self, name: &str, context: &Map<String, Value>) -> Result<String, TemplateFault> {
        let mut output = Bounded(Vec::new());
        let rendered = self
            .environment
            .get_template(name)
            .and_then(|template| template.render_captured_to(python::mapping(context), &mut output).map(drop));
        match rendered {
            Ok(()) => Ok(String::from_utf8_lossy(&output.0).into_owned()),
            Err(error) => Err(TemplateFault::of(&error, &self.used())),
        }
    }

    /// The templates that were needed so far, by name and place: the one that was rendered, what it extends, and so on.
    pub fn used(&self) -> Vec<(String, String)> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a name stays within a folder.
fn is_plain(name: &str) -> bool {
    !name.contains(['\\', '\0']) && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Output that ends.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST {
            return Err(io::Error::other(format!("it prints more than {} KiB", MOST >> 10)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
