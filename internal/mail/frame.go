package mail

import "strings"

// mark stands in a frame where something was taken out.
const mark = "\x01"

// Split parts a HTML document into its frame, which mails of the same design share, and what is its own: its
// texts and where its links lead. Join puts them together again, byte for byte. A document that cannot be
// parted has no frame.
func Split(html string) (frame, own string) {
	if html == "" || strings.Contains(html, mark) {
		return "", html
	}
	var f, o strings.Builder
	f.Grow(len(html))
	o.Grow(len(html) / 3)
	done := 0 // what the frame has, so far
	take := func(from, to int) {
		if strings.Trim(html[from:to], " \t\r\n") == "" {
			return
		}
		f.WriteString(html[done:from])
		f.WriteString(mark)
		if o.Len() > 0 {
			o.WriteString(mark)
		}
		o.WriteString(html[from:to])
		done = to
	}
	for at := 0; at < len(html); {
		begin := at + until(html[at:], "<")
		take(at, begin)
		end := min(begin+until(html[begin:], ">")+1, len(html))
		switch tag := html[begin:end]; {
		case strings.HasPrefix(tag, "<style"): // what is inside is design too
			end = begin + until(html[begin:], "</style>")
		case strings.HasPrefix(tag, "<a "):
			if address := until(tag, href) + len(href); address < len(tag) {
				take(begin+address, begin+address+until(tag[address:], `"`))
			}
		}
		at = end
	}
	f.WriteString(html[done:])
	return f.String(), o.String()
}

const href = ` href="`

// until is where the text has the part, its end when it has none.
func until(text, part string) int {
	if i := strings.Index(text, part); i >= 0 {
		return i
	}
	return len(text)
}

// Join is the document that Split parted.
func Join(frame, own string) string {
	if frame == "" {
		return own
	}
	var html strings.Builder
	html.Grow(len(frame) + len(own))
	for {
		before, after, found := strings.Cut(frame, mark)
		html.WriteString(before)
		if !found {
			return html.String()
		}
		text, rest, _ := strings.Cut(own, mark)
		html.WriteString(text)
		frame, own = after, rest
	}
}
