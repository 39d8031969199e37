package main

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	testfleet "github.com/batonmq/baton/test/fleet"
)

// baton is the binary whose nodes the tests run, built once.
var baton string

// TestMain is the tests, or one of the demo's workers: the demo starts those as itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(run(os.Args[1:]))
	}
	flag.Parse()
	os.Exit(testfleet.Run(m, &baton))
}

// longSentences is a document whose sentences take a while to be shown.
func longSentences() string {
	var b strings.Builder
	for _, which := range []string{"first", "second", "third"} {
		b.WriteString("Of the sentences that are long enough, so that one sees them grow, this is the " + which)
		for range 8 {
			b.WriteString(" and it goes on and on")
		}
		b.WriteString(".\n\n")
	}
	return b.String()
}

// told is what the driving page has seen.
type told struct {
	Seen   string `json:"seen"`
	Detail string `json:"detail"`
}

// TestBrowser asks on the page as a person does, in a real browser: an answer grows and
// outlives a reload, and a review is approved and rejected; what a run did before it failed
// is undone.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and a browser")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium on this machine: the demo's page is not tested")
	}
	f, says, url := drivenDemo(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*testfleet.Patience)
	defer cancel()
	command := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), url)
	if err := command.Start(); err != nil {
		t.Skipf("chromium does not start here: %v", err)
	}
	defer func() {
		// Asked, not killed: it takes its own processes along.
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	}()
	for _, want := range []told{
		{"an answer grows", ""},
		{"the answer is there after a reload", "this is the first and it goes on"},
		{"what was approved is published", "this is the first and it goes on"},
		{"what was rejected is undone", "rejected"},
		{"what failed is undone", codePress},
		{"the ledger is right", "2 charged, 2 published, 4 runs ended"},
	} {
		select {
		case got := <-says:
			if got.Seen != want.Seen || !strings.Contains(got.Detail, want.Detail) {
				t.Fatalf("the page says %+v, want %+v", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("the page never said %q\n%v", want.Seen, f.explain())
		}
	}
}

// drivenDemo is the demo of a folder, with a page beside the demo's own at url that drives
// it and says what it sees.
func drivenDemo(t *testing.T) (f *fleet, says <-chan told, url string) {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, "long.md", longSentences())
	write(t, folder, "short.md", "# Other\nWhat is short does not grow.\n")
	o := &options{folder: folder, baton: baton, lease: 2 * time.Second, out: t.Output()}
	f, err := startFleet(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.stop)
	go f.discardReports(t.Context())
	handler, err := pageHandler(o, f)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan told, 16)
	mux := http.NewServeMux()
	mux.Handle("GET /", handler)
	mux.HandleFunc("GET /drive", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/drive.html") })
	mux.HandleFunc("POST /told", func(_ http.ResponseWriter, r *http.Request) {
		var what told
		if json.NewDecoder(r.Body).Decode(&what) == nil {
			seen <- what
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return f, seen, server.URL + "/drive"
}
