//! From the pieces of a statement to lines of text.

/// No line is longer, unless nothing in it can be broken.
const WIDTH: usize = 100;

/// A part of a statement.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text that is not broken.
    Text(String),
    /// A blank, or the end of a line that would get too long: the less deep inside the statement, the sooner.
    Break {
        /// How many lists are open here.
        depth: usize,
    },
    /// A comment; it ends its line.
    Comment {
        /// With its `#`.
        text: String,
        /// Whether it has a line of its own.
        own_line: bool,
    },
}

/// A statement without its body.
#[derive(Debug, Default)]
pub(super) struct Line {
    pieces: Vec<Piece>,
    depth: usize,
}

/// Lists inside more lists than this are broken like these.
const DEPTHS: usize = 4;

impl Line {
    /// Adds text, to the last piece if that is text too.
    pub fn push(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Adds a comment.
    pub fn comment(&mut self, text: String, own_line: bool) {
        self.pieces.push(Piece::Comment { text, own_line });
    }

    /// Adds a place where the list that was opened last may be broken.
    pub fn may_break(&mut self) {
        self.pieces.push(Piece::Break { depth: self.depth.min(DEPTHS) - 1 });
    }

    /// What follows is inside one more list.
    pub fn open_list(&mut self) {
        self.depth += 1;
    }

    /// The list that was opened last is complete.
    pub fn close_list(&mut self) {
        self.depth -= 1;
    }

    /// Writes the line, broken where it has to be; what goes on in new lines stands two blanks further right.
    pub fn write(self, indent: usize, out: &mut String) {
        let room = self.room();
        let mut lines = Lines { out, indent, next_indent: indent + 2, column: 0 };
        for (piece, room) in self.pieces.into_iter().zip(room) {
            match piece {
                Piece::Text(text) => lines.text(&text),
                Piece::Break { .. } => lines.may_break(room),
                Piece::Comment { text, own_line } => lines.comment(&text, own_line),
            }
        }
        lines.end();
    }

    /// For every place that may be broken, how much has to fit behind it: everything up to the next such place that is not deeper.
    fn room(&self) -> Vec<usize> {
        let mut ahead = [0; DEPTHS];
        let mut room = vec![0; self.pieces.len()];
        for (at, piece) in self.pieces.iter().enumerate().rev() {
            match piece {
                Piece::Text(text) => {
                    let width = text.chars().count();
                    ahead.iter_mut().for_each(|ahead| *ahead += width);
                }
                Piece::Break { depth } => {
                    room[at] = ahead[*depth];
                    ahead[*depth..].fill(0);
                    ahead[..*depth].iter_mut().for_each(|ahead| *ahead += 1);
                }
                Piece::Comment { .. } => ahead.fill(0),
            }
        }
        room
    }
}

struct Lines<'a> {
    out: &'a mut String,
    /// Where this line begins.
    indent: usize,
    /// Where those that follow begin.
    next_indent: usize,
    /// How many characters stand in this line; none before its first.
    column: usize,
}

impl Lines<'_> {
    fn text(&mut self, text: &str) {
        let text = if self.column == 0 { text.trim_start() } else { text };
        if self.column == 0 {
            self.out.push_str(&" ".repeat(self.indent));
            self.column = self.indent;
        }
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn may_break(&mut self, room: usize) {
        if self.column + 1 + room > WIDTH {
            self.end();
        } else if self.column > 0 {
            self.text(" ");
        }
    }

    fn comment(&mut self, text: &str, own_line: bool) {
        if own_line || self.column == 0 {
            self.end();
            self.text(text);
        } else {
            self.trim();
            self.out.push_str("  ");
            self.out.push_str(text);
        }
        self.end();
    }

    fn trim(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
    }

    /// Ends the line, if one is begun.
    fn end(&mut self) {
        if self.column == 0 {
            return;
        }
        self.trim();
        self.out.push('\n');
        self.indent = self.next_indent;
        self.column = 0;
    }
}
