package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
)

// page goes on where it was after a reload: it listens, asks, and once answered
// reloads itself, asks again and says what came in each of its lives. It
// acknowledges nothing, so that only localStorage knows how far it was.
const page = `<!doctype html><title>Baton</title><script type="module">
import { connect } from "/dist/index.js";
const life = Number(sessionStorage.getItem("life") ?? 0) + 1;
sessionStorage.setItem("life", life);
const tell = (what) => fetch("/told", { method: "POST", body: JSON.stringify({ life, ...what }) });
try {
  const client = await connect({ nodes: NODE, clientId: "page" });
  client.onNotification(async (n) => {
    await tell({ data: n.data, redelivered: n.redelivered });
    // Behind the handler, when the position is kept.
    if (life === 1) setTimeout(() => location.reload());
  }, { manualAck: true });
  await client.publish("browser", "question " + life);
} catch (error) {
  await tell({ data: String(error) });
}
</script>`

// told is what the page says.
type told struct {
	Life        int    `json:"life"`
	Data        string `json:"data"`
	Redelivered bool   `json:"redelivered"`
}

// TestBrowser runs the JavaScript client in a page of a real browser: after a reload
// the page gets what it has not had, and nothing that it has.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium on this machine: the client is not tested in a browser")
	}
	url := startNode(t)
	answering(t, url)
	says := make(chan told, 16)
	mux := http.NewServeMux()
	mux.Handle("GET /dist/", http.StripPrefix("/dist/", http.FileServer(http.Dir("../js/dist"))))
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		address, _ := json.Marshal(url)
		_, _ = w.Write([]byte(strings.ReplaceAll(page, "NODE", string(address))))
	})
	mux.HandleFunc("POST /told", func(_ http.ResponseWriter, r *http.Request) {
		var what told
		if json.NewDecoder(r.Body).Decode(&what) == nil {
			says <- what
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	command := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), server.URL)
	if err := command.Start(); err != nil {
		t.Skipf("chromium does not start here: %v", err)
	}
	defer func() {
		// Asked, not killed: it takes its own processes along.
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	}()
	for _, want := range []told{{Life: 1, Data: "answer to question 1"}, {Life: 2, Data: "answer to question 2"}} {
		select {
		case got := <-says:
			if got != want {
				t.Fatalf("the page says %+v, want %+v", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("the page never said %+v", want)
		}
	}
}

// answering is a worker for the page's questions.
func answering(t *testing.T, url string) {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Options{Nodes: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		_ = c.Work(t.Context(), client.WorkOptions{Channel: "browser"}, func(_ context.Context, job *client.Job) error {
			var question string
			if err := job.Data.Decode(&question); err != nil {
				return client.Permanent(err)
			}
			job.Notify("answer", "answer to "+question)
			return nil
		})
	}()
}
