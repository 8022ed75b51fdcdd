//! Definitions from git.

use convoke_dispatcher::error::ErrorClass;
use convoke_job::member::DefinitionFrom;
use serde_json::json;

use crate::world::{World, entry, files, git, refused};

scenarios![
    a_path_and_a_url_give_the_newest_commit,
    branches_and_revisions_are_checked_out,
    history_is_kept_or_left_out,
    submodules_come_when_asked_for,
    a_definition_brings_its_own_repositories,
    an_inline_definition_brings_repositories,
    what_is_not_there_is_named,
    a_document_that_is_none_is_a_job_error,
];

async fn a_path_and_a_url_give_the_newest_commit() {
    let world = World::new();
    let [_, two, _] = world.repository("r");
    for place in [world.text("r"), format!("file://{}", world.text("r")), format!("{}/", world.text("r"))] {
        let fetched = world.fetch(&entry(git(&place), "tests/smoke.yaml")).await.unwrap();
        assert_eq!(fetched.commit.as_ref(), Some(&two), "{place}");
        assert_eq!(fetched.definition.run_steps, ["true", "yes: no"]);
        let files = files(&fetched);
        assert_eq!(files["text"], "two");
        assert!(files.contains_key(".git/shallow"), "{place}: {files:?}");
    }
}

async fn branches_and_revisions_are_checked_out() {
    let world = World::new();
    let [one, two, other] = world.repository("r");
    let at = |branch: Option<&str>, revision: Option<&str>| {
        let mut from = git(&world.text("r"));
        if let DefinitionFrom::Git { branch: b, revision: r, .. } = &mut from {
            (*b, *r) = (branch.map(str::to_string), revision.map(str::to_string));
        }
        entry(from, "tests/smoke.yaml")
    };
    for (branch, revision, commit) in [
        (None, None, &two),
        (Some("other"), None, &other),
        (None, Some(one.as_str()), &one),
        (None, Some("other"), &other),
        (Some("other"), Some(one.as_str()), &one),
    ] {
        let fetched = world.fetch(&at(branch, revision)).await.unwrap();
        assert_eq!(fetched.commit.as_ref(), Some(commit), "{branch:?} {revision:?}");
    }
    refused(world.fetch(&at(Some("absent"), None)).await, ErrorClass::Job, "there is no branch \"absent\"");
    refused(world.fetch(&at(None, Some("absent"))).await, ErrorClass::Job, "there is no revision \"absent\"");
    refused(world.fetch(&at(None, Some("--help"))).await, ErrorClass::Job, "neither a branch nor a revision");
}

async fn history_is_kept_or_left_out() {
    let world = World::new();
    world.repository("r");
    let mut from = git(&world.text("r"));
    if let DefinitionFrom::Git { history, .. } = &mut from {
        *history = false;
    }
    let files = files(&world.fetch(&entry(from, "tests/smoke.yaml")).await.unwrap());
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), ["tests/", "tests/smoke.yaml", "text"]);
}

async fn submodules_come_when_asked_for() {
    let world = World::new();
    world.repository("inner");
    world.repository("r");
    world.git("r", &["submodule", "--quiet", "add", &world.text("inner"), "sub"]);
    world.git("r", &["commit", "-q", "-m", "with a submodule"]);
    for wanted in [false, true] {
        let mut from = git(&world.text("r"));
        if let DefinitionFrom::Git { recursive, .. } = &mut from {
            *recursive = wanted;
        }
        let files = files(&world.fetch(&entry(from, "tests/smoke.yaml")).await.unwrap());
        assert_eq!(files.contains_key("sub/text"), wanted);
    }
}

const WITH_REPOS: &str = "
metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
params: {WHERE: nowhere, WHICH: main}
install:
  git-repos:
  - {url: WHERE, branch: WHICH, destination: mine}
run: {steps: [ls]}
";

async fn a_definition_brings_its_own_repositories() {
    let world = World::new();
    world.repository("inner");
    world.write("r/d.yaml", WITH_REPOS);
    world.git("r", &["init", "-q"]);
    world.git("r", &["add", "-A"]);
    world.git("r", &["commit", "-q", "-m", "x"]);
    let mut entry = entry(git(&world.text("r")), "d.yaml");
    entry.parameters = vec![("WHERE".into(), Some(world.text("inner"))), ("WHICH".into(), Some("other".into()))];
    let files = files(&world.fetch(&entry).await.unwrap());
    assert_eq!(files["mine/text"], "other");
    entry.parameters[1].1 = Some("absent".into());
    refused(world.fetch(&entry).await, ErrorClass::Job, "there is no branch \"absent\"");
    entry.skip_install = vec!["git-repos".into()];
    assert!(!crate::world::files(&world.fetch(&entry).await.unwrap()).contains_key("mine/text"));
}

async fn an_inline_definition_brings_repositories() {
    let world = World::new();
    world.repository("inner");
    let document = json!({
        "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "x"},
        "install": {"git-repos": [world.text("inner")]},
        "run": {"steps": ["ls inner"]},
    });
    let fetched = world.fetch(&entry(DefinitionFrom::Inline(document.clone()), "inline/x.yaml")).await.unwrap();
    assert_eq!(files(&fetched)["inner/text"], "two");
    assert_eq!(fetched.document, document);
    let plain = json!({"metadata": {"format": "Lava-Test Test Definition 1.0", "name": "x"}, "run": {"steps": ["ls"]}});
    let fetched = world.fetch(&entry(DefinitionFrom::Inline(plain), "inline/x.yaml")).await.unwrap();
    assert!(fetched.files.is_empty());
}

async fn what_is_not_there_is_named() {
    let world = World::new();
    world.repository("r");
    world.write("plain/x", "x");
    let at = async |place: &str, path: &str| world.fetch(&entry(git(place), path)).await;
    refused(at(&world.text("absent"), "x").await, ErrorClass::Job, "there is no git repository");
    refused(at(&world.text("plain"), "x").await, ErrorClass::Job, "cannot fetch the git repository");
    refused(at(&world.text("r"), "absent.yaml").await, ErrorClass::Job, "there is no file \"absent.yaml\"");
    refused(at(&world.text("r"), "../plain/x").await, ErrorClass::Job, "there is no file");
    refused(at(&world.text("r"), "tests").await, ErrorClass::Job, "there is no file");
    refused(at("", "x").await, ErrorClass::Job, "neither a URL nor a path");
    refused(at("--upload-pack=x", "x").await, ErrorClass::Job, "neither a URL nor a path");
    refused(at("ext::sh -c x", "x").await, ErrorClass::Job, "cannot fetch the git repository");
    // Nobody listens there, and the password is nobody's business.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let result = at(&format!("http://me:secret@{address}/x.git"), "x").await;
    assert!(!result.as_ref().unwrap_err().1.contains("secret"), "{result:?}");
    refused(result, ErrorClass::Infrastructure, "cannot reach the git repository");
}

async fn a_document_that_is_none_is_a_job_error() {
    let world = World::new();
    world.repository("r");
    for (name, text) in [("not.yaml", "run: [\n"), ("empty.yaml", ""), ("bare.yaml", "run: {steps: []}\n")] {
        world.write(&format!("r/{name}"), text);
    }
    world.git("r", &["add", "-A"]);
    world.git("r", &["commit", "-q", "-m", "x"]);
    let at = async |path: &str| world.fetch(&entry(git(&world.text("r")), path)).await;
    refused(at("not.yaml").await, ErrorClass::Job, "test definition d: not.yaml:");
    refused(at("empty.yaml").await, ErrorClass::Job, "empty");
    refused(at("bare.yaml").await, ErrorClass::Job, "test definition d: metadata: missing");
}
