//! Downloads from servers that behave, and from servers that do not.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use convoke_artifact::{Error, Fault, Origin, prepare};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::server::{Server, good, reply, until_closed};
use crate::world::{Ended, World, content};

scenarios![
    kept_by_content,
    a_new_version_is_noticed,
    continued_where_it_broke_off,
    a_server_that_ignores_ranges,
    a_file_that_changes_halfway,
    a_weak_version_is_not_continued,
    broken_off_for_good,
    a_silent_server,
    statuses,
    redirects,
    headers_stay_with_their_server,
    a_content_coding_is_taken_off,
    a_wrong_checksum,
    halves_that_do_not_belong_together,
    servers_that_are_not_there,
    no_secure_connection,
    two_at_once_ask_once,
    a_dropped_download_is_continued,
    the_cache_keeps_its_limit,
    without_a_cache,
    a_full_disk,
    nothing_of_a_killed_run_stays,
];

/// 300,000 bytes that tell where they are.
fn body() -> Vec<u8> {
    (0..50_000u32).flat_map(|number| format!("{number:05}\n").into_bytes()).collect()
}

async fn failed(world: &World, resource: Value) -> Error {
    world.prepare(resource, None).await.unwrap_err()
}

#[track_caller]
fn expect(error: &Error, fault: Fault, words: &str) {
    assert!(error.fault == fault && error.message.contains(words), "{error:?}");
    assert!(!error.message.contains('\n'), "{error}");
}

async fn kept_by_content() {
    let world = World::cached();
    let server = Server::start(|asked, stream| good(asked, stream, "\"1\"", &body()));
    world.file("body", &body());
    let sums = world.shell("md5sum body; sha256sum body; sha512sum body");
    let mut sums = sums.lines().map(|line| line.split(' ').next().unwrap().to_uppercase());
    let url = server.url("/image");
    let resource = json!({"url": url, "md5sum": sums.next(), "sha256sum": sums.next(), "sha512sum": sums.next()});
    let mut seen = Vec::new();
    let made = prepare(&world.order(resource.clone()), None, |progress| seen.push(progress)).await.unwrap();
    assert_eq!(made.origin, Origin::Downloaded);
    assert_eq!(content(&made), body());
    assert!(!made.own);
    assert_eq!(seen[0].total, Some(300_000));
    for resource in [resource.clone(), json!({"url": url, "md5sum": resource["md5sum"]})] {
        let made = world.prepare(resource, None).await.unwrap();
        assert_eq!((made.origin, content(&made)), (Origin::Kept, body()));
    }
    // From another place, by its sum.
    let elsewhere = json!({"url": "http://nowhere.invalid/x", "sha256sum": resource["sha256sum"]});
    assert_eq!(world.prepare(elsewhere, None).await.unwrap().origin, Origin::Kept);
    assert_eq!(server.asked().len(), 1);
    // Without a sum the server is asked whether it is still the same.
    assert_eq!(world.prepare(json!({"url": url}), None).await.unwrap().origin, Origin::Kept);
    assert_eq!(server.asked()[1].header("if-none-match"), Some("\"1\""));
    let fresh = world.prepare(json!({"url": url, "use_cache": false}), None).await.unwrap();
    assert_eq!((fresh.origin, fresh.own), (Origin::Downloaded, true));
    assert_eq!(server.asked().len(), 3);
}

async fn a_new_version_is_noticed() {
    let world = World::cached();
    let server = Server::start(|asked, stream| {
        let text = format!("version {}", asked.number);
        good(asked, stream, &format!("\"{}\"", asked.number), text.as_bytes());
    });
    for version in ["version 0", "version 1"] {
        let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
        assert_eq!(content(&made), version.as_bytes());
    }
}

async fn continued_where_it_broke_off() {
    for world in [World::cached(), World::new()] {
        let server = Server::start(|asked, stream| match asked.number {
            0 => reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()[..100_001]),
            1 => {
                let headers = "etag: \"1\"\r\ncontent-range: bytes 100001-299999/300000\r\n";
                reply(stream, "206 Partial Content", headers, 199_999, &body()[100_001..200_000]);
            }
            _ => good(asked, stream, "\"1\"", &body()),
        });
        let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
        assert_eq!(content(&made), body());
        let asked = server.asked();
        assert_eq!(asked.iter().map(|asked| asked.range()).collect::<Vec<_>>(), [None, Some(100_001), Some(200_000)]);
        assert_eq!(asked[2].header("if-range"), Some("\"1\""));
    }
}

async fn a_server_that_ignores_ranges() {
    type Answer = fn(&mut std::net::TcpStream);
    let answers: [Answer; 3] = [
        // Nothing says that it is what was asked for.
        |stream| reply(stream, "206 Partial Content", "etag: \"1\"\r\n", 200_000, &body()[..200_000]),
        |stream| reply(stream, "416 Range Not Satisfiable", "", 0, b""),
        |stream| reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()[..100_000]),
    ];
    for second in answers {
        let world = World::cached();
        let server = Server::start(move |asked, stream| match asked.number {
            0 => reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()[..100_000]),
            1 => second(stream),
            _ => reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()),
        });
        let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
        assert_eq!(content(&made), body());
    }
}

async fn a_file_that_changes_halfway() {
    let world = World::cached();
    let server = Server::start(|asked, stream| match asked.number {
        0 => reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()[..100_000]),
        _ => good(asked, stream, "\"2\"", b"something else"),
    });
    let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
    assert_eq!(content(&made), b"something else");
    assert_eq!(server.asked()[1].header("if-range"), Some("\"1\""));
}

async fn a_weak_version_is_not_continued() {
    let world = World::cached();
    let server = Server::start(|asked, stream| match asked.number {
        0 => reply(stream, "200 OK", "etag: W/\"1\"\r\n", 300_000, &body()[..100_000]),
        _ => reply(stream, "200 OK", "etag: W/\"1\"\r\n", 300_000, &body()),
    });
    let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
    assert_eq!(content(&made), body());
    assert_eq!(server.asked()[1].range(), None);
}

async fn broken_off_for_good() {
    let world = World::cached();
    let server = Server::start(|_, stream| reply(stream, "200 OK", "", 300_000, &body()[..100_000]));
    let error = failed(&world, json!({"url": server.url("/x")})).await;
    expect(&error, Fault::Lab, "/x broke off after 100000 of 300000 bytes");
    assert_eq!(server.asked().len(), 4);
}

async fn a_silent_server() {
    let world = World::cached();
    let server = Server::start(|asked, stream| {
        if asked.path() == "/halfway" {
            reply(stream, "200 OK", "", 300_000, &body()[..1000]);
        }
        until_closed(stream);
    });
    let silent = async |path| {
        let mut order = world.order(json!({"url": server.url(path)}));
        order.patience = std::time::Duration::from_millis(500);
        prepare(&order, None, |_| ()).await.unwrap_err()
    };
    let error = silent("/halfway").await;
    // On a slow machine the last try may not even have got the answer.
    assert!(
        error.message.contains("fell silent after 1000 of 300000 bytes for 0.5 s")
            || error.message.contains("not answer")
    );
    assert_eq!(error.fault, Fault::Lab);
    expect(&silent("/never").await, Fault::Lab, "does not answer");
}

async fn statuses() {
    let world = World::cached();
    let server = Server::start(|asked, stream| reply(stream, &asked.path()[1..].replace('_', " "), "", 4, b"oops"));
    for (status, fault) in [
        ("404_Not_Found", Fault::Job),
        ("403_Forbidden", Fault::Job),
        ("410_Gone", Fault::Job),
        ("429_Too_Many_Requests", Fault::Lab),
        ("500_Internal_Server_Error", Fault::Lab),
        ("503_Service_Unavailable", Fault::Lab),
    ] {
        let error = failed(&world, json!({"url": server.url(&format!("/{status}"))})).await;
        expect(&error, fault, &format!("the server answers {}", &status[..3]));
    }
    let error = failed(&world, json!({"url": server.url("/404_x").replace("http://", "http://me:secret@")})).await;
    assert_eq!(
        error.message,
        format!("cannot download {}: the server answers 404: there is no such file", server.url("/404_x"))
    );
}

async fn redirects() {
    let world = World::cached();
    let server = Server::start(|asked, stream| match asked.path() {
        "/a/start" => reply(stream, "302 Found", "location: ../a/next\r\n", 0, b""),
        "/a/../a/next" => reply(stream, "301 Moved", "location: /end\r\n", 0, b""),
        "/end" => good(asked, stream, "\"1\"", b"here"),
        "/out" => reply(stream, "307 There", "location: file:///etc/passwd\r\n", 0, b""),
        _ => reply(stream, "302 Found", "location: /loop\r\n", 0, b""),
    });
    let made = world.prepare(json!({"url": server.url("/a/start")}), None).await.unwrap();
    assert_eq!(content(&made), b"here");
    expect(&failed(&world, json!({"url": server.url("/loop")})).await, Fault::Job, "from address to address");
    expect(&failed(&world, json!({"url": server.url("/out")})).await, Fault::Job, "which is not http");
}

async fn headers_stay_with_their_server() {
    let world = World::cached();
    let other = Server::start(|asked, stream| good(asked, stream, "\"1\"", b"there"));
    let away = format!("location: {}\r\n", other.url("/there"));
    let server = Server::start(move |_, stream| reply(stream, "302 Found", &away, 0, b""));
    let resource = json!({"url": server.url("/"), "headers": {"PRIVATE-TOKEN": "secret"}});
    assert_eq!(content(&world.prepare(resource, None).await.unwrap()), b"there");
    assert_eq!(server.asked()[0].header("private-token"), Some("secret"));
    assert_eq!(other.asked()[0].header("private-token"), None);
    let bad = failed(&world, json!({"url": server.url("/"), "headers": {"a b": "c"}})).await;
    expect(&bad, Fault::Job, "cannot ask for");
}

async fn a_content_coding_is_taken_off() {
    let world = World::cached();
    world.file("body", &body());
    world.shell("gzip -k body");
    let packed = crate::world::read(&world.path("body.gz"));
    let sent = packed.clone();
    let server = Server::start(move |asked, stream| match asked.path() {
        "/brotli" => reply(stream, "200 OK", "content-encoding: br\r\n", 4, b"oops"),
        _ => reply(stream, "200 OK", "etag: \"1\"\r\ncontent-encoding: gzip\r\n", sent.len(), &sent),
    });
    let made = world.prepare(json!({"url": server.url("/body")}), None).await.unwrap();
    assert_eq!(content(&made), body());
    // A packed file is what the job wants; it unpacks it itself.
    let made = world.prepare(json!({"url": server.url("/body.gz")}), None).await.unwrap();
    assert_eq!(content(&made), packed);
    let made = world.prepare(json!({"url": server.url("/body.gz"), "compression": "gz"}), None).await.unwrap();
    assert_eq!(content(&made), body());
    expect(&failed(&world, json!({"url": server.url("/brotli")})).await, Fault::Lab, "packs it with br");
    assert_eq!(server.asked()[0].header("accept-encoding"), Some("identity"));

    // What broke off is not continued: a range would be one of the coded file.
    let server = Server::start(move |asked, stream| {
        let end = if asked.number == 0 { packed.len() / 2 } else { packed.len() };
        reply(stream, "200 OK", "etag: \"1\"\r\ncontent-encoding: gzip\r\n", packed.len(), &packed[..end]);
    });
    let made = world.prepare(json!({"url": server.url("/body")}), None).await.unwrap();
    assert_eq!(content(&made), body());
    assert!(server.asked().iter().all(|asked| asked.range().is_none()));
}

async fn a_wrong_checksum() {
    let world = World::cached();
    let server = Server::start(|asked, stream| good(asked, stream, "\"1\"", b"bytes"));
    for _ in 0..2 {
        let error = failed(&world, json!({"url": server.url("/x"), "md5sum": "0".repeat(32)})).await;
        expect(
            &error,
            Fault::Job,
            "/x is 4b3a6218bb3e3a7303e8a171a60fcf92, the job says 00000000000000000000000000000000",
        );
    }
    // Nothing of it was kept to go on from.
    assert!(server.asked().iter().all(|asked| asked.range().is_none()));
    world.file("local", b"bytes");
    let error = failed(&world, json!({"url": "local", "sha512sum": "f".repeat(128)})).await;
    expect(&error, Fault::Job, "the sha512 sum of ");
}

async fn halves_that_do_not_belong_together() {
    let world = World::cached();
    world.file("body", &body());
    let sum = world.shell("sha256sum body | cut -c-64");
    // The server swears that it is the same, but it is not.
    let server = Server::start(|asked, stream| match asked.number {
        0 => reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &[b'x'; 1000]),
        _ => good(asked, stream, "\"1\"", &body()),
    });
    let made = world.prepare(json!({"url": server.url("/"), "sha256sum": sum.trim()}), None).await.unwrap();
    assert_eq!(content(&made), body());
    assert_eq!(server.asked().iter().map(|asked| asked.range()).collect::<Vec<_>>(), [None, Some(1000), None]);
}

async fn servers_that_are_not_there() {
    let world = World::cached();
    expect(&failed(&world, json!({"url": "http://nowhere.invalid/x"})).await, Fault::Lab, "nowhere.invalid");
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failed(&world, json!({"url": format!("http://{unused}/x")})).await;
    expect(&error, Fault::Lab, "refused");
    expect(&failed(&world, json!({"url": "http://bad host/x"})).await, Fault::Job, "cannot ask for");
}

async fn no_secure_connection() {
    let world = World::cached();
    // In the clear, whatever is asked.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        listener.incoming().for_each(|stream| drop(stream.unwrap().write_all(b"HTTP/1.1 400\r\n")))
    });
    expect(&failed(&world, json!({"url": url})).await, Fault::Lab, "no secure connection");

    // With a certificate that this machine does not know, until it is told.
    world.shell(
        "printf '[req]\ndistinguished_name=name\n[name]\n' >settings
         openssl req -config settings -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key \
         -out certificate -subj /CN=test -addext subjectAltName=IP:127.0.0.1 2>error || { cat error; exit 1; }",
    );
    world.file("served/file", &body());
    let server = Command::new("openssl")
        .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "../certificate", "-key", "../key", "-WWW"])
        .current_dir(world.path("served"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn();
    let mut server = Ended(server.unwrap());
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned())).unwrap();
    let url = format!("https://{address}/file");
    expect(&failed(&world, json!({"url": url})).await, Fault::Lab, "UnknownIssuer");
    let told = world.elsewhere(
        &world.order(json!({"url": url})),
        "",
        &[("SSL_CERT_FILE", world.path("certificate").as_path())],
    );
    assert_eq!(told, "300000 bytes\n");
}

async fn two_at_once_ask_once() {
    let world = World::cached();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = Server::start(move |asked, stream| {
        arrived.send(()).unwrap();
        if asked.number == 0 {
            wait.lock().unwrap().recv().unwrap();
        }
        good(asked, stream, "\"1\"", &body());
    });
    let order = world.order(json!({"url": server.url("/")}));
    let first = tokio::spawn({
        let order = order.clone();
        async move { prepare(&order, None, |_| ()).await.unwrap() }
    });
    arrivals.recv().await.unwrap();
    let second = tokio::spawn(async move { prepare(&order, None, |_| ()).await.unwrap() });
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap().origin, Origin::Downloaded);
    assert_eq!(second.await.unwrap().origin, Origin::Kept);
    // The second only asked whether it is still the same.
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].header("if-none-match").is_some());
}

async fn a_dropped_download_is_continued() {
    let world = World::cached();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let server = Server::start(move |asked, stream| match asked.number {
        0 => {
            reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()[..200_000]);
            // Only when the client is gone.
            until_closed(stream);
            arrived.send(()).unwrap();
        }
        _ => good(asked, stream, "\"1\"", &body()),
    });
    let order = world.order(json!({"url": server.url("/")}));
    let mut told = false;
    {
        let (sender, mut progress) = mpsc::unbounded_channel();
        let download = prepare(&order, None, move |now| sender.send(now).unwrap_or_default());
        tokio::pin!(download);
        tokio::select! {
            _ = &mut download => unreachable!(),
            now = progress.recv() => told |= now.is_some(),
        }
    }
    assert!(told);
    arrivals.recv().await.unwrap();
    let made = prepare(&order, None, |_| ()).await.unwrap();
    assert_eq!(content(&made), body());
    assert!(server.asked()[1].range().is_some_and(|from| from > 0));
}

async fn the_cache_keeps_its_limit() {
    let world = World::cached();
    let server = Server::start(|asked, stream| {
        let mut text = body();
        text.extend(asked.path().as_bytes());
        good(asked, stream, "\"1\"", &text);
    });
    let mut held = Vec::new();
    for number in 0..5 {
        let mut order = world.order(json!({"url": server.url(&format!("/{number}"))}));
        order.cache.as_mut().unwrap().limit = 700_000;
        held.push(prepare(&order, None, |_| ()).await.unwrap());
    }
    let kept = std::fs::read_dir(world.path("cache/v1/content")).unwrap().count();
    assert_eq!(kept, 2);
    // Who has one still has it.
    assert!(held.iter().enumerate().all(|(number, made)| content(made).ends_with(format!("/{number}").as_bytes())));
    let made = world.prepare(json!({"url": server.url("/4")}), None).await.unwrap();
    assert_eq!(made.origin, Origin::Kept);
}

async fn without_a_cache() {
    let world = World::cached();
    std::fs::write(world.path("cache"), "not a folder").unwrap();
    let server = Server::start(|asked, stream| good(asked, stream, "\"1\"", b"bytes"));
    let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
    assert_eq!(content(&made), b"bytes");
    assert!(made.notes[0].contains("cannot be used"), "{:?}", made.notes);
}

async fn a_full_disk() {
    let world = World::cached();
    std::fs::create_dir(world.path("cache")).unwrap();
    let server = Server::start(|asked, stream| good(asked, stream, "\"1\"", &vec![b'x'; 9 << 20]));
    // Memory of a size, where only this process sees it.
    let mount = "mount -t tmpfs -o size=8m none cache; mount -t tmpfs -o size=8m none scratch; ";
    let url = server.url("/x");
    for resource in [json!({"url": url}), json!({"url": url, "use_cache": false})] {
        let said = world.elsewhere(&world.order(resource), mount, &[]);
        assert!(said.starts_with(&format!("Lab: cannot keep {url}: No space left on device")), "{said}");
        assert!(said.ends_with("the disk is full: make room, or set another folder\n"), "{said}");
    }
}

async fn nothing_of_a_killed_run_stays() {
    let world = World::cached();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let server = Server::start(move |asked, stream| match asked.number {
        0 => {
            reply(stream, "200 OK", "etag: \"1\"\r\n", 300_000, &body()[..200_000]);
            until_closed(stream);
            arrived.send(()).unwrap();
        }
        _ => good(asked, stream, "\"1\"", &body()),
    });
    let order = world.order(json!({"url": server.url("/")}));
    let mut run = world.start(&order, "", &[]);
    // Something has arrived.
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "progress\n");
    run.kill().unwrap();
    run.wait().unwrap();
    // Its stage ends, and with it the connection.
    arrivals.recv().await.unwrap();
    assert_eq!(std::fs::read_dir(world.path("scratch")).unwrap().count(), 0);
    let made = world.prepare(json!({"url": server.url("/")}), None).await.unwrap();
    assert_eq!(content(&made), body());
    assert!(server.asked()[1].range().is_some());
}
