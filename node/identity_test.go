package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestIdentityIsWrittenWhole: whoever has the file open, as the disk has it after a
// power failure, sees what it was or what it becomes, and never a part; what an
// earlier attempt left behind is in nobody's way.
func TestIdentityIsWrittenWhole(t *testing.T) {
	dir := t.TempDir()
	path, before := filepath.Join(dir, identityFile), filepath.Join(dir, "before")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path, "old")
	write(path+".tmp", "a longer text that was being written when the power failed")
	if err := os.Link(path, before); err != nil {
		t.Fatal(err)
	}
	if err := writeSynced(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{path: "new", before: "old"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", path, got, err, want)
		}
	}
	if _, err := os.Stat(path + ".tmp"); !os.IsNotExist(err) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}

// TestIdentityIsKept: a directory is made somebody once, and stays that.
func TestIdentityIsKept(t *testing.T) {
	dir := t.TempDir()
	made, err := readIdentity(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := readIdentity(dir, made.name); err != nil || kept != made {
		t.Errorf("made %v, kept %v: %v", made, kept, err)
	}
	if _, err := readIdentity(dir, "other"); err == nil {
		t.Error("the directory belongs to two names")
	}
	if other, err := readIdentity(t.TempDir(), made.name); err != nil || other.id() == made.id() {
		t.Errorf("another directory is %v too: %v", other, err)
	}
}
