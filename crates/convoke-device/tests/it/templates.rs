//! LAVA's templates, rendered: the same bytes as Jinja2 prints with LAVA's settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoke_device::template::{Found, Templates};
use serde_json::{Map, Value, json};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates")
}

/// Templates of these folders.
fn of_folders(folders: Vec<PathBuf>) -> Templates {
    Templates::new(move |name| {
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        let place = found.as_ref().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        Ok(found.map(|path| Found { text: std::fs::read_to_string(path).unwrap(), place: place.unwrap() }))
    })
}

/// Templates that are given here.
fn of(texts: &[(&str, &str)]) -> Templates {
    let texts: Arc<Vec<(String, String)>> =
        Arc::new(texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
    Templates::new(move |name| {
        let text = texts.iter().find(|(known, _)| known == name);
        Ok(text.map(|(_, text)| Found { text: text.clone(), place: name.to_owned() }))
    })
}

fn named(context: &Value, name: &str) -> Map<String, Value> {
    let mut context = context.as_object().unwrap().clone();
    context.insert("scheduled_device_name".into(), name.into());
    context.insert("scheduled_device_type".into(), "fixture".into());
    context
}

/// `rendered/` was printed by Jinja2 3.1 (see `fixtures/templates/README.md`).
#[test]
fn every_feature_prints_what_jinja2_prints() {
    let root = fixtures();
    let contexts: Value = serde_json::from_str(&std::fs::read_to_string(root.join("contexts.json")).unwrap()).unwrap();
    let mut rendered = 0;
    for entry in std::fs::read_dir(root.join("devices")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".jinja2").unwrap();
        for (case, context) in contexts.as_object().unwrap() {
            let templates = of_folders(vec![root.join("devices"), root.join("device-types")]);
            let text = templates.render(&file, &named(context, name)).unwrap_or_else(|fault| panic!("{fault}"));
            let expected = std::fs::read_to_string(root.join(format!("rendered/{name}.{case}.txt"))).unwrap();
            assert_eq!(text, expected, "{name}, {case}");
            rendered += 1;
        }
    }
    assert_eq!(rendered, 6);
}

/// What Debian's package lava-server installs, or what unpacking it elsewhere gives (`LAVA_TEMPLATES`, a folder).
#[test]
fn installed_templates_of_lava_render() {
    let given = std::env::var_os("LAVA_TEMPLATES").map(PathBuf::from);
    let folders: Vec<PathBuf> = given
        .into_iter()
        .chain([
            PathBuf::from("/etc/lava-server/dispatcher-config/device-types"),
            PathBuf::from("/usr/share/lava-server/device-types"),
        ])
        .filter(|folder| folder.is_dir())
        .collect();
    let mut faults = Vec::new();
    for folder in &folders {
        for entry in std::fs::read_dir(folder).unwrap() {
            let Ok(file) = entry.unwrap().file_name().into_string() else { continue };
            if !file.ends_with(".jinja2") {
                continue;
            }
            for context in [json!({}), json!({"arch": "arm64", "memory": 1024}), json!({"arch": "amd64"})] {
                let templates = of_folders(folders.clone());
                match templates.render(&file, &named(&context, "device-1")) {
                    Ok(text) => {
                        if let Some(to) = std::env::var_os("LAVA_RENDERED") {
                            let case = context["arch"].as_str().unwrap_or("none");
                            std::fs::write(Path::new(&to).join(format!("{file}.{case}")), text).unwrap();
                        }
                    }
                    Err(fault) => faults.push(format!("{file} {context}: {fault}")),
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn fault(texts: &[(&str, &str)]) -> String {
    of(texts).render(texts[0].0, &Map::new()).unwrap_err().to_string()
}

#[test]
fn a_fault_names_the_template_the_line_and_the_way_there() {
    let base = ("base.jinja2", "a: 1\n{% block x %}\nb: {{ missing.name }}\n{% endblock %}\n");
    let panda = ("panda.jinja2", "{% extends 'base.jinja2' %}\n");
    let texts = [
        fault(&[("d.jinja2", "{% extends 'panda.jinja2' %}"), panda, base]),
        fault(&[("d.jinja2", "a: 1\n\n{% extends 'pnda.jinja2' %}"), panda]),
        fault(&[("d.jinja2", "a: 1\n{% include 'part.jinja2' %}"), ("part.jinja2", "\n\nb: {{ 'x'|no_filter }}\n")]),
        fault(&[("d.jinja2", "a: 1\nb: {{ 'x' }\n")]),
        fault(&[("d.jinja2", "a: 1\n{% for x in [1] %}\n")]),
        fault(&[("d.jinja2", "{% set a = [] %}\n{% set _ = a.append(1) %}\n")]),
        fault(&[("d.jinja2", "{{ 'a' + 1 }}")]),
        fault(&[("d.jinja2", "{% include '../../etc/passwd' %}")]),
        fault(&[("d.jinja2", "{% extends '/etc/passwd' %}")]),
        fault(&[("d.jinja2", "{{ debug() }}")]),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_template_without_end_is_a_fault() {
    let texts = [
        fault(&[("d.jinja2", "{% extends 'd.jinja2' %}")]),
        fault(&[("d.jinja2", "{% include 'd.jinja2' %}")]),
        fault(&[("d.jinja2", "{% extends 'e.jinja2' %}"), ("e.jinja2", "{% extends 'd.jinja2' %}")]),
        fault(&[("d.jinja2", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]),
        fault(&[("d.jinja2", "{% block b %}{{ self.b() }}{% endblock %}")]),
        fault(&[("d.jinja2", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")]),
        fault(&[("d.jinja2", "{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}")]),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}
