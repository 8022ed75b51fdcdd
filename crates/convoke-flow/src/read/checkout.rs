//! The files of repositories at hand, each of which becomes a text of the flow when it is first looked at.

use std::collections::HashMap;
use std::rc::Rc;

use convoke_job::Source;

use crate::follow::{File, Files};
use crate::repositories::Repository;

/// A file that is a text of the flow.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) text: Rc<str>,
    /// Index into the texts of the flow.
    pub(super) index: usize,
}

/// The files looked at so far, by repository and path.
#[derive(Default)]
pub(super) struct LoadedFiles(HashMap<(String, String), Loaded>);

impl LoadedFiles {
    pub(super) fn load(&mut self, repository: &Repository, path: &str, texts: &mut Vec<Source>) -> Option<Loaded> {
        let key = (repository.name.clone(), path.to_owned());
        if let Some(loaded) = self.0.get(&key) {
            return Some(loaded.clone());
        }
        let text = repository.files.get(path)?.as_ref()?;
        let name = if repository.name.is_empty() { path.to_owned() } else { format!("{}/{path}", repository.name) };
        texts.push(Source::new(name, text.as_str()));
        let loaded = Loaded { text: text.as_str().into(), index: texts.len() - 1 };
        self.0.insert(key, loaded.clone());
        Some(loaded)
    }
}

/// The directory of a definition on its device.
pub(super) struct Checkout<'a> {
    /// None for a definition that stands in the job: what is in its directory beside it is not known.
    pub(super) repository: Option<&'a Repository>,
    pub(super) texts: &'a mut Vec<Source>,
    pub(super) loaded: &'a mut LoadedFiles,
}

impl Files for Checkout<'_> {
    fn file(&mut self, path: &str) -> File {
        let Some(repository) = self.repository else { return File::Elsewhere };
        match repository.files.get(path) {
            None => File::Elsewhere,
            Some(None) => File::Binary,
            Some(Some(_)) => match self.loaded.load(repository, path, self.texts) {
                Some(loaded) => File::Text(loaded.text, loaded.index),
                None => File::Binary,
            },
        }
    }
}
