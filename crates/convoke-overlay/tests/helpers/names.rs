//! lava-self, lava-role and lava-group: whole lines, literal comparison (device-side.md §6.1, D22, D23).

use crate::device::{Device, each_shell};

#[test]
fn prints_names_and_roles_a_line_each() {
    each_shell(|shell| {
        let device = Device::new(shell);
        let seen = device.run("lava-self\nlava-role\nlava-role list\nlava-group\nlava-group client\n");
        let expected = "9101\nserver\nserver\nclient\nobserver\n\
                        9101\tserver\n9102\tclient\n9103\tclient\n9104\tobserver\n9102\n9103\n";
        assert_eq!(seen, expected);
    });
}

#[test]
fn takes_names_and_roles_literally() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.group("100%d\tclient\na\\tb\tc.*\n*\tnet/load balancer\nlast\tclient");
        device.write("multinode/self", "100%d");
        let steps = "lava-self\nlava-group\nlava-group 'c.*'\nlava-group 'net/load balancer'\nlava-group client\n\
                     lava-group net || echo none $?\nlava-group c || echo none $?\nlava-role list\n";
        let expected = "100%d\n100%d\tclient\na\\tb\tc.*\n*\tnet/load balancer\nlast\tclient\n\
                        a\\tb\n*\n100%d\nlast\nnone 1\nnone 1\nclient\nc.*\nnet/load balancer\n";
        assert_eq!(device.run(steps), expected);
    });
}

#[test]
fn lists_guests_only_when_asked() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("multinode/all", "9101\tserver\n9105\tguest\n");
        device.group("9101\tserver\n");
        let seen = device.run("lava-group\nlava-group --all\nlava-group guest || echo none\n");
        assert_eq!(seen, "9101\tserver\n9101\tserver\n9105\tguest\nnone\n");
    });
}

#[test]
fn refuses_other_arguments() {
    each_shell(|shell| {
        let steps = "for call in 'lava-self x' 'lava-role x' 'lava-role list x' 'lava-group a b' 'lava-group -x'; do\n\
                     $call 2>&1 || echo \"$call: $?\"\ndone\nlava-group '' || echo $?\n";
        let expected = "usage: lava-self\nlava-self x: 1\nusage: lava-role [list]\nlava-role x: 1\n\
                        usage: lava-role [list]\nlava-role list x: 1\nusage: lava-group [ROLE | --all]\nlava-group a b: 1\n\
                        usage: lava-group [ROLE | --all]\nlava-group -x: 1\nusage: lava-group [ROLE | --all]\n1\n";
        assert_eq!(Device::new(shell).run(steps), expected);
    });
}

#[test]
fn finds_the_data_where_it_is_told() {
    each_shell(|shell| {
        let device = Device::new(shell);
        device.write("elsewhere/self", "other\n");
        let device = device.set("LAVA_MULTI_NODE_DIR", "elsewhere");
        assert_eq!(device.run(&format!("cd '{}'\nlava-self\n", device.path("").display())), "other\n");
    });
}

#[test]
fn says_so_when_the_job_is_no_multinode_job() {
    each_shell(|shell| {
        let device = Device::new(shell).set("LAVA_MULTI_NODE_DIR", "/nowhere");
        let seen = device.run("lava-self || echo status $?\n");
        assert_eq!(seen, "lava-self: cannot read /nowhere/self: is this a MultiNode job?\nstatus 1\n");
    });
}
