//! A program that writes numbered lines, rotations of every kind, readers that are cut off: in
//! the end every line is kept exactly once.

mod courses;
mod scene;

use std::fs;
use std::io::Write;

use super::family::family;
use super::locate::locate;
use super::log::Learned;
use super::tracked::BUFFER;
use scene::{Scene, WAYS, Way, append, pack};

#[test]
fn each_way_of_rotation_loses_and_doubles_nothing_while_it_is_watched() {
    for way in WAYS {
        let mut scene = Scene::new(&format!("each-{way:?}"), "\"/var/log/app.log\"");
        for round in 0..6 {
            scene.say(20);
            if round % 2 == 0 {
                scene.turn();
            }
            scene.say(3);
            scene.rotate(way, u64::from(way == Way::Rename) * 2);
            scene.say(5);
            scene.turn();
        }
        scene.assert_all_once(&format!("{way:?}"));
    }
}

#[test]
fn several_rotations_of_any_kind_while_nobody_looks_lose_nothing() {
    for first in WAYS {
        for second in WAYS {
            let told = format!("{first:?}, then {second:?}");
            let mut scene =
                Scene::new(&format!("down-{first:?}-{second:?}"), "\"/var/log/app.log\"");
            scene.say(30);
            scene.turn();
            scene.say(7);
            for way in [first, second, first] {
                scene.rotate(way, 0);
                scene.say(9);
            }
            scene.crash(false);
            scene.assert_all_once(&told);
        }
    }
}

#[test]
fn a_reader_that_is_killed_while_it_reads_a_packed_rest_goes_on_in_it() {
    let mut scene = Scene::new("packed", "\"/var/log/app.log\"");
    scene.say(10);
    scene.turn();
    // More than is read in one turn, and more than one batch.
    scene.say(30_000);
    scene.rotate(Way::RenameAndPack, 0);
    scene.say(10);
    scene.crash(false);
    scene.source.look(&mut scene.writer);
    let buffer = &mut scene.buffer;
    // One reading of each file is written, the next is lost.
    scene.source.touch(None);
    scene.source.read(buffer, &mut scene.writer);
    scene.writer.write().expect("written");
    scene.crash(true);
    scene.assert_all_once("cut off within");
}

#[test]
fn a_number_that_is_given_again_to_another_file_is_not_taken_for_the_first() {
    let mut scene = Scene::new("inode", "\"/var/log/*.log\"");
    scene.say(10);
    scene.turn();
    scene.say(4);
    scene.rotate(Way::RenameAndPack, 0);
    scene.crash(false);
    // The live file goes; with luck the next one gets its number. The test holds either way.
    let lost = scene.log("");
    fs::remove_file(&lost).expect("removed");
    scene.program = append(&scene.root.join("var/log/other.log"));
    scene.say(100);
    scene.assert_all_once("another file");
}

#[test]
fn rotated_files_that_a_pattern_matches_too_are_read_once() {
    for way in WAYS {
        let mut scene = Scene::new(&format!("wide-{way:?}"), "\"/var/log/app*\"");
        scene.turn();
        for round in 0..6 {
            scene.say(20);
            if round % 3 != 0 {
                scene.turn();
            }
            scene.say(3);
            scene.rotate(way, 0);
            scene.say(5);
            if round % 2 == 0 {
                scene.crash(round % 4 == 0);
            }
            scene.turn();
        }
        scene.assert_all_once(&format!("{way:?}"));
    }
}

#[test]
fn a_line_is_kept_when_its_end_comes_and_a_hole_is_none() {
    let mut scene = Scene::new("parts", "\"/var/log/app.log\"");
    scene.program.write_all(b"line 1 of").expect("written");
    scene.turn();
    assert_eq!(scene.kept(), [""; 0]);
    scene.crash(false);
    scene.program.write_all(b" one\nline 2").expect("written");
    scene.turn();
    assert_eq!(scene.kept(), ["line 1 of one"]);
    // A program that does not append goes on where it was in a file that was cut off.
    scene.program.write_all(b"\n").expect("written");
    scene.turn();
    scene.program.set_len(0).expect("cut off");
    scene.program.set_len(5000).expect("a hole");
    scene.program.write_all(b"line 3\n").expect("written");
    scene.turn();
    assert_eq!(scene.kept(), ["line 1 of one", "line 2", "line 3"]);
}

#[test]
fn a_line_without_an_end_is_kept_in_pieces() {
    let mut scene = Scene::new("long", "\"/var/log/app.log\"");
    let long = vec![b'x'; 3 * BUFFER];
    scene.program.write_all(&long).expect("written");
    scene.program.write_all(b"\nline 2\n").expect("written");
    scene.turn();
    let kept = scene.kept();
    let (last, pieces) = kept.split_last().expect("lines");
    assert_eq!(last, "line 2");
    assert_eq!(pieces.iter().map(String::len).sum::<usize>(), long.len());
}

#[test]
fn of_a_log_that_is_there_at_first_only_the_end_is_read_and_later_ones_whole() {
    let mut scene = Scene::new("first", "\"/var/log/*.log\"");
    scene.say(60_000);
    scene.turn();
    let kept = scene.kept();
    assert!((10_000..50_000).contains(&kept.len()), "{}", kept.len());
    assert!(kept.last().is_some_and(|line| line.starts_with("line 60000 ")));
    let mut other = append(&scene.root.join("var/log/new.log"));
    for number in 0..60_000 {
        writeln!(other, "other {number} of the program, which says it once").expect("written");
    }
    scene.crash(false);
    (0..3).for_each(|_| scene.turn());
    assert_eq!(scene.kept().len() - kept.len(), 60_000);
}

#[test]
fn what_is_said_and_read_between_the_copy_and_the_cut_is_kept_once() {
    for crash in [false, true] {
        for pack_it in [false, true] {
            let told = format!("crash {crash}, packed {pack_it}");
            let mut scene =
                Scene::new(&format!("between-{crash}-{pack_it}"), "\"/var/log/app.log\"");
            scene.say(20);
            scene.turn();
            scene.say(5);
            scene.copy();
            scene.say(4);
            scene.turn();
            if crash {
                scene.crash(false);
            }
            scene.cut();
            if pack_it {
                pack(&scene.log(".1"), &scene.log(".1.gz"));
            }
            scene.say(3);
            scene.assert_all_once(&told);
        }
    }
}

#[test]
fn a_copy_of_a_log_of_which_nothing_was_read_is_read_once_it_is_cut() {
    for empty_at_first in [false, true] {
        let mut scene = Scene::new(&format!("fresh-{empty_at_first}"), "\"/var/log/app.log\"");
        scene.say(3);
        scene.turn();
        scene.rotate(Way::Copy, 0);
        scene.say(4);
        if empty_at_first {
            // The copy is begun.
            scene.count_up();
            drop(append(&scene.log(".1")));
            scene.source.look(&mut scene.writer);
            fs::copy(scene.log(""), scene.log(".1")).expect("copied");
        } else {
            scene.copy();
            scene.source.look(&mut scene.writer);
        }
        scene.cut();
        scene.say(6);
        scene.assert_all_once(&format!("empty at first {empty_at_first}"));
    }
}

#[test]
fn a_log_that_is_cut_off_and_grows_again_is_read_from_its_beginning() {
    let mut scene = Scene::new("cut", "\"/var/log/app.log\"");
    scene.say(10);
    scene.turn();
    scene.say(2);
    scene.cut_unseen();
    scene.say(50);
    scene.turn();
    scene.cut_unseen();
    scene.crash(false);
    scene.say(50);
    scene.assert_all_once("cut");
    assert_eq!(scene.kept().len(), 110);
    assert_eq!(scene.source.missed, 0, "nobody can tell that two are missing");
}

#[test]
fn what_was_deleted_before_it_was_read_is_told_and_nothing_is_read_again() {
    let mut scene = Scene::new("deleted", "\"/var/log/app.log\"");
    for _ in 0..3 {
        scene.say(5);
        scene.turn();
        scene.rotate(Way::RenameAndPack, 0);
    }
    scene.say(5);
    scene.turn();
    scene.say(7);
    scene.lost = (21..=27).collect();
    scene.rotate(Way::Rename, 0);
    scene.say(2);
    scene.crash(false);
    fs::remove_file(scene.log(".1")).expect("removed");
    scene.assert_all_once("deleted");
    assert_eq!(scene.source.missed, 1);
}

#[test]
fn a_file_that_gets_another_matching_name_is_not_read_again() {
    let mut scene = Scene::new("renamed", "\"/var/log/*.log\"");
    for crash in [false, true] {
        scene.say(5);
        scene.turn();
        scene.say(4);
        if crash {
            scene.crash(false);
        }
        let elsewhere = scene.root.join(format!("var/log/old-app-{crash}.log"));
        fs::rename(scene.log(""), elsewhere).expect("moved");
        scene.reopen();
        scene.say(3);
        scene.turn();
    }
    scene.assert_all_once("renamed");
}

#[test]
fn a_disk_that_was_taken_off_for_a_while_is_read_on() {
    let mut scene = Scene::new("away", "\"/var/log/app.log\"");
    scene.say(5);
    scene.turn();
    scene.rotate(Way::Rename, 0);
    scene.say(5);
    scene.turn();
    let (there, away) = (scene.root.join("var/log"), scene.root.join("var/away"));
    fs::rename(&there, &away).expect("moved");
    scene.turn();
    scene.crash(false);
    scene.turn();
    fs::rename(&away, &there).expect("moved");
    scene.say(5);
    scene.assert_all_once("away");
}

#[test]
fn packed_and_plain_files_that_are_counted_apart_are_read_once() {
    let mut scene = Scene::new("apart", "\"/var/log/app.log\"");
    scene.say(3);
    scene.turn();
    for round in 0..40 {
        scene.say(5);
        if round % 3 != 0 {
            scene.turn();
        }
        scene.rotate_apart(round / 5 % 2 == 0);
        scene.say(3);
        scene.turn();
        scene.rest();
        scene.turn();
        if round % 4 == 0 {
            scene.crash(round % 8 == 0);
        }
    }
    scene.assert_all_once("apart");
}

#[test]
fn a_packed_rest_that_could_not_be_opened_is_not_taken_for_read() {
    let mut scene = Scene::new("unopened", "\"/var/log/app.log\"");
    scene.say(5);
    scene.turn();
    scene.say(4);
    scene.rotate(Way::RenameAndPack, 0);
    scene.crash(false);
    scene.source.look(&mut scene.writer);
    // As if it had got another name right then.
    for one in scene.source.logs.values_mut().flat_map(|log| &mut log.generations) {
        one.rest = None;
    }
    scene.source.read(&mut scene.buffer, &mut scene.writer);
    scene.writer.write().expect("written");
    scene.assert_all_once("unopened");
}

#[test]
fn a_packed_rest_whose_name_another_file_has_by_now_is_not_read_in_that_one() {
    let mut scene = Scene::new("taken", "\"/var/log/app.log\"");
    scene.say(5);
    scene.turn();
    scene.say(4);
    scene.rotate(Way::RenameAndPack, 0);
    // What is open would give it.
    scene.crash(false);
    let base = scene.log("");
    let members = family(&base).expect("listed");
    let log = &scene.source.logs[&base];
    let located = locate(&log.generations, &members, &base).expect("found");
    // Right behind the decision which file is which; the next one is longer.
    scene.say(12);
    scene.rotate(Way::RenameAndPack, 0);
    let mut learned = Learned { next: 1000, ..Learned::default() };
    let log = scene.source.logs.get_mut(&base).expect("there");
    log.stale = false;
    log.settle(&located, &members, &mut learned);
    scene.source.read(&mut scene.buffer, &mut scene.writer);
    scene.writer.write().expect("written");
    scene.assert_all_once("taken");
}
