//! The log of a child, and what can stand in its place.

use super::*;

#[test]
fn the_log_scrolls_follows_and_is_searched() {
    let mut app = app(busy());
    let log_of = |app: &mut App| text(app, (120, 40));
    assert!(log_of(&mut app).contains("case_1479"), "it follows");
    press(&mut app, KeyCode::Home);
    let oldest = log_of(&mut app);
    assert!(oldest.contains("case_1000") && oldest.contains("line 1,001 of 1,480"), "{oldest}");
    press(&mut app, KeyCode::PageDown);
    assert!(!log_of(&mut app).contains("case_1000"));
    // More output does not move what one reads.
    let before = log_of(&mut app);
    let mut more = busy();
    more[4].log = log(1_500, 1_000);
    show(&mut app, more);
    assert_eq!(log_of(&mut app), before.replace("1,480", "1,500"));
    type_text(&mut app, "/CASE_1234");
    press(&mut app, KeyCode::Enter);
    assert!(log_of(&mut app).contains("case_1234"));
    type_text(&mut app, "f");
    assert!(log_of(&mut app).contains("case_1499"));
}

/// Of what was started again each line has the time since its own start.
#[test]
fn times_are_those_of_their_start() {
    let at = |millis| Nanos::from_secs(4_900) + Nanos::from_millis(millis);
    let start = |millis| Moment { at: at(millis), what: Happening::Created { pid: 7 } };
    let line = |millis: u64| {
        let text = format!("at {millis}").into();
        OutputLine { at: at(millis), stream: Stream::Stdout, text, strokes: None, continues: false }
    };
    let course = Course { moments: [start(1_000), start(5_000)].into(), starts: 3, ..Course::default() };
    let log = vec![[line(500), line(1_250), line(5_500), line(9_750)].into()];
    let again = ChildView { course, log, started: at(9_000), ..child(1, "x", ChildState::Running) };
    let screen = text(&mut app(vec![again]), (120, 40));
    for row in ["          │ at 500", "    0.250 │ at 1250", "    0.500 │ at 5500", "    0.750 │ at 9750"] {
        assert!(screen.contains(row), "{row}\n{screen}");
    }
}

/// Wherever in a long line it stands, and whatever comes meanwhile.
#[test]
fn what_was_searched_for_is_seen() {
    let line = |text: String| {
        let at = Nanos::from_secs(4_988);
        OutputLine { at, stream: Stream::Stdout, text: text.into(), strokes: None, continues: false }
    };
    let filler = |n: usize| (0..n).map(|n| format!("{n:03} ")).collect::<Vec<_>>().concat();
    let long = format!("{}GRÖSSE 1 {}größe 2 {}Größe 3{}", filler(100), filler(200), filler(400), filler(100));
    let lines = |count| (0..count).map(|n| line(format!("short {n}"))).collect::<Vec<_>>();
    let shown = |after: usize| {
        let all = [lines(40), vec![line(long.clone())], lines(after)].concat();
        vec![ChildView { log: vec![all.into()], ..child(1, "x", ChildState::Running) }]
    };
    for size in SIZES {
        let mut app = app(shown(40));
        let log_of = |app: &mut App| text(app, size);
        log_of(&mut app);
        // Cut, the line is shown from where its first hit is.
        type_text(&mut app, "/GRÖßE");
        assert!(log_of(&mut app).contains("größe 2"), "{size:?}\n{}", log_of(&mut app));
        press(&mut app, KeyCode::Esc);
        // Wrapped, each row that has it is gone to.
        type_text(&mut app, "w/größe");
        press(&mut app, KeyCode::Enter);
        for (key, hit, of) in [("", "Größe 3", "2 of 2"), ("n", "größe 2", "1 of 2"), ("n", "Größe 3", "2 of 2")]
        {
            type_text(&mut app, key);
            let before = log_of(&mut app);
            assert!(before.contains(hit) && before.contains(of), "{size:?} {hit}\n{before}");
            tell(&mut app, shown(50));
            let after = log_of(&mut app);
            assert_eq!(after.replace(" of 91", ""), before.replace(" of 81", "").replace(" of 91", ""), "{size:?}");
        }
        type_text(&mut app, "/nowhere");
        assert!(log_of(&mut app).contains("not found"));
    }
}

/// A line that is too long for one is searched as the one line that it is.
#[test]
fn a_hit_across_the_pieces_of_a_long_line_is_found() {
    let line = |stream, text: &str, continues| {
        let at = Nanos::from_secs(4_988);
        OutputLine { at, stream, text: text.into(), strokes: None, continues }
    };
    let (out, err) = (Stream::Stdout, Stream::Stderr);
    let log = [
        line(out, "begins with nee", false),
        line(err, "an error between: nee", false),
        line(out, "dle and goes on, nee", true),
        line(out, "dle of its own", false),
    ];
    let mut app = app(vec![ChildView { log: vec![log.into()], ..child(1, "x", ChildState::Running) }]);
    text(&mut app, (120, 40));
    type_text(&mut app, "/needle");
    let screen = text(&mut app, (120, 40));
    assert!(screen.contains("1 of 1 found"), "{screen}");
}

#[test]
fn a_hit_stays_in_sight_when_lines_are_wrapped_and_cut() {
    let at = Nanos::from_secs(4_988);
    let text_of = format!("{}needle{}", "x".repeat(4_000), "y".repeat(4_000));
    let long = OutputLine { at, stream: Stream::Stdout, text: text_of.into(), strokes: None, continues: false };
    let mut app = app(vec![ChildView { log: vec![[long].into()], ..child(1, "x", ChildState::Running) }]);
    text(&mut app, (80, 24));
    type_text(&mut app, "/NEEDLE");
    press(&mut app, KeyCode::Enter);
    for _ in 0..3 {
        let screen = text(&mut app, (80, 24));
        assert!(screen.contains("needle"), "{screen}");
        type_text(&mut app, "w");
    }
}

#[test]
fn one_stream_can_be_read_alone() {
    let mut app = app(busy());
    press(&mut app, KeyCode::Char('o'));
    let log = text(&mut app, (120, 40));
    assert!(log.contains("output only") && !log.contains("warning 1"), "{log}");
    press(&mut app, KeyCode::Char('o'));
    let log = text(&mut app, (120, 40));
    assert!(log.contains("errors only") && !log.contains("case_"), "{log}");
    press(&mut app, KeyCode::PageUp);
    press(&mut app, KeyCode::Home);
    assert!(text(&mut app, (120, 40)).contains("warning 1004"), "the first error that is kept");
}

/// Whatever is too long for the screen can be got through.
#[test]
fn a_long_life_and_a_large_tree_scroll() {
    let moment = |n: u64| Moment { at: NOW, what: Happening::Created { pid: 10_000 + n as i32 } };
    let kin = |n: u64| {
        let name = format!("kin{n}").into();
        Relative { pid: 20_000 + n as i32, parent: 1, depth: 1, name, state: 'S', orphan: false }
    };
    let course =
        Course { moments: (0..150).map(moment).collect(), family: (0..150).map(kin).collect(), ..Course::default() };
    let mut app = app(vec![ChildView { course, ..child(1, "make", ChildState::Running) }]);
    let seen = |app: &mut App, key, wanted: &str| {
        press(app, key);
        let screen = text(app, (80, 24));
        assert!(screen.contains(wanted), "{key:?} {wanted}\n{screen}");
    };
    press(&mut app, KeyCode::Char('v'));
    seen(&mut app, KeyCode::Char('v'), "kin0");
    seen(&mut app, KeyCode::Char('J'), "2-17 of 151 · J K");
    seen(&mut app, KeyCode::PageDown, "kin16");
    seen(&mut app, KeyCode::End, "kin149");
    seen(&mut app, KeyCode::Char('v'), "created as 10149");
    seen(&mut app, KeyCode::Char('K'), "created as 10148");
    assert!(!text(&mut app, (80, 24)).contains("created as 10149"));
    seen(&mut app, KeyCode::Home, "created as 10000");
}
