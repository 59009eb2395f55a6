//! From the pieces of a statement to lines of text.

/// No line is longer, unless nothing in it can be broken.
const WIDTH: usize = 100;

/// A part of a statement.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text that is not broken.
    Text(String),
    /// A blank, or the end of a line that would get too long.
    Break,
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
    pub pieces: Vec<Piece>,
}

impl Line {
    /// Adds text, to the last piece if that is text too.
    pub fn push(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    /// Writes the line, broken where it has to be; what goes on in new lines stands two blanks further right.
    pub fn write(self, indent: usize, out: &mut String) {
        let mut lines = Lines { out, indent, next_indent: indent + 2, column: 0, may_break: false };
        for piece in self.pieces {
            match piece {
                Piece::Text(text) => lines.text(&text),
                Piece::Break => lines.may_break = true,
                Piece::Comment { text, own_line } => lines.comment(&text, own_line),
            }
        }
        lines.end();
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
    may_break: bool,
}

impl Lines<'_> {
    fn text(&mut self, text: &str) {
        let width = text.chars().count();
        if self.column > 0 && std::mem::take(&mut self.may_break) {
            if self.column + 1 + width > WIDTH {
                self.end();
            } else {
                self.out.push(' ');
                self.column += 1;
            }
        }
        if self.column > 0 {
            self.out.push_str(text);
            self.column += width;
        } else {
            self.begin(text.trim_start());
        }
    }

    fn begin(&mut self, text: &str) {
        self.out.push_str(&" ".repeat(self.indent));
        self.out.push_str(text);
        self.column = self.indent + text.chars().count();
        self.may_break = false;
    }

    fn comment(&mut self, text: &str, own_line: bool) {
        if own_line || self.column == 0 {
            self.end();
            self.begin(text);
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
