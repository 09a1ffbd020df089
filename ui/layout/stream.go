package layout

import (
	"io"
	"mime"
	"net/http"
	"time"
)

// streamTime is how long a file may stand still while it is made and sent; all of it may take longer.
const streamTime = 10 * time.Minute

// Stream answers with a file while it is made. What fails before the first byte is an error page; what
// fails later breaks the connection off, so that nobody takes half a file for all of it.
func Stream(w http.ResponseWriter, name, kind string, write func(io.Writer) error) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Cache-Control", "private, no-store")
	out := &begun{ResponseWriter: w}
	out.extend(time.Now())
	err := write(out)
	if err != nil && out.any {
		panic(http.ErrAbortHandler)
	}
	return err
}

// begun remembers whether anything was written, and gives what goes on more time.
type begun struct {
	http.ResponseWriter
	any   bool
	until time.Time // deadline of the connection
}

func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	if now := time.Now(); b.until.Sub(now) < streamTime-time.Minute {
		b.extend(now)
	}
	return b.ResponseWriter.Write(p)
}

func (b *begun) extend(now time.Time) {
	b.until = now.Add(streamTime)
	_ = http.NewResponseController(b.ResponseWriter).SetWriteDeadline(b.until) // tests have none
}
