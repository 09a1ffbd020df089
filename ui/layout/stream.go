package layout

import (
	"io"
	"mime"
	"net/http"
	"time"
)

// streamTime is how long a file may take to be made and sent.
const streamTime = 30 * time.Minute

// Stream answers with a file while it is made. What fails before the first byte is an error page; what
// fails later breaks the connection off, so that nobody takes half a file for all of it.
func Stream(w http.ResponseWriter, name, kind string, write func(io.Writer) error) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Cache-Control", "private, no-store")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(streamTime)) // tests have none
	out := &begun{ResponseWriter: w}
	err := write(out)
	if err != nil && out.any {
		panic(http.ErrAbortHandler)
	}
	return err
}

// begun remembers whether anything was written.
type begun struct {
	http.ResponseWriter
	any bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	return b.ResponseWriter.Write(p)
}
