package fsm

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// metaWorld is one replica of the meta group.
type metaWorld struct {
	world

	meta *Meta
}

func newMetaWorld(t *testing.T) *metaWorld {
	t.Helper()
	w := &metaWorld{world: world{tb: t, store: openStore(t), groups: new(uint32)}}
	w.nextGroup()
	w.reopenMeta(t)
	return w
}

func (w *metaWorld) reopenMeta(t *testing.T) {
	t.Helper()
	view := w.state.View()
	defer func() { check(t, view.Close()) }()
	meta, err := OpenMeta(view)
	check(t, err)
	w.meta = meta
}

func (w *metaWorld) applyMeta(t *testing.T, effects bool, commands ...[]byte) *Outcome {
	t.Helper()
	w.index++
	tx := w.state.Begin()
	tx.BeginEntry(w.index, 1)
	outcome, err := w.meta.Apply(tx, command.AppendEntry(nil, &command.Header{TimeMS: 1000}, commands), effects)
	check(t, err)
	tx.EndEntry()
	check(t, tx.Commit())
	return outcome
}

func admitting(id string) []byte {
	admit := command.AdmitMember{Member: command.Member{ID: id, Name: "n", PeerAddress: "127.0.0.1:1"}}
	return admit.Append(nil)
}

// TestMetaKeepsWhatFormedTheCluster forms a cluster twice, admits members and
// brings one up to date, and reads all of it back.
func TestMetaKeepsWhatFormedTheCluster(t *testing.T) {
	w := newMetaWorld(t)
	form := command.FormCluster{ClusterID: "c", Partitions: 8, Replicas: 3, Members: []command.Member{{ID: "b"}, {ID: "a"}}}
	outcome := w.applyMeta(t, true, form.Append(nil), form.Append(nil), admitting("c"), admitting("a"))
	if outcome.Results[0].Duplicate || !outcome.Results[1].Duplicate {
		t.Errorf("forming twice: %+v", outcome.Results[:2])
	}
	w.reopenMeta(t)
	members := w.meta.Members()
	if len(members) != 3 || members[0].ID != "a" || members[1].ID != "b" || members[2].ID != "c" {
		t.Fatalf("members %+v", members)
	}
	if members[0].PeerAddress != "127.0.0.1:1" || members[0].AdmittedMS != 1000 {
		t.Errorf("a member that came again: %+v", members[0])
	}
}

// TestMetaRefusesWhatItCannotKeep sends what a broken or newer node might.
func TestMetaRefusesWhatItCannotKeep(t *testing.T) {
	w := newMetaWorld(t)
	long := strings.Repeat("x", command.MaxMemberText+1)
	address := command.AdmitMember{Member: command.Member{ID: "a", ClientURL: long}}
	refused := map[string][]byte{
		"no id":                 admitting(""),
		"a long id":             admitting(long),
		"a long address":        address.Append(nil),
		"cut short":             admitting("a")[:6],
		"a partition's command": (&command.Ack{Tenant: "t", ClientID: "c"}).Append(nil),
	}
	for what, encoded := range refused {
		result := w.applyMeta(t, true, encoded).Results[0]
		if result.Reason != command.BadRequest || result.Message == "" {
			t.Errorf("%s: %+v", what, result)
		}
	}
	if members := w.meta.Members(); len(members) != 0 {
		t.Fatalf("members %+v", members)
	}
	for i := range command.MaxMembers {
		w.applyMeta(t, true, admitting(fmt.Sprintf("m%02d", i)))
	}
	if result := w.applyMeta(t, true, admitting("one more")).Results[0]; result.Reason != command.TooLarge {
		t.Errorf("one member too many: %+v", result)
	}
	if result := w.applyMeta(t, true, admitting("m00")).Results[0]; result.Reason != command.Done {
		t.Errorf("a member that is there already: %+v", result)
	}
}

// TestMetaTellsOnlyItsLeaderThatItStarted applies a LeaderStart with and without
// effects: the state counts it, the outcome of a follower says nothing.
func TestMetaTellsOnlyItsLeaderThatItStarted(t *testing.T) {
	w := newMetaWorld(t)
	start := (&command.LeaderStart{Node: "n"}).Append(nil)
	if outcome := w.applyMeta(t, false, start); outcome.Started != nil {
		t.Errorf("a follower starts: %+v", outcome.Started)
	}
	w.reopenMeta(t)
	outcome := w.applyMeta(t, true, start)
	if outcome.Started == nil || outcome.Started.Generation != 2 || outcome.Started.Node != "n" {
		t.Errorf("the second leader: %+v", outcome.Started)
	}
}

// TestMetaKeepsChannelSettings: each change has the next version, and one that
// was made on what is not there any more is refused.
func TestMetaKeepsChannelSettings(t *testing.T) {
	w := newMetaWorld(t)
	set := func(channel string, expect uint64, settings command.ChannelSettings) []byte {
		return (&command.SetChannel{Channel: channel, Expect: expect, Settings: settings}).Append(nil)
	}
	w.applyMeta(t, true, set("b", 0, command.ChannelSettings{MaxAttempts: 3}), set("a", 0, command.ChannelSettings{LeaseMS: 2000}))
	outcome := w.applyMeta(t, true,
		set("b", 1, command.ChannelSettings{MaxAttempts: 4}), set("b", 1, command.ChannelSettings{MaxAttempts: 5}),
		set("c", 9, command.ChannelSettings{}), set("c", 0, command.ChannelSettings{LeaseMS: 1}), set("", 0, command.ChannelSettings{}))
	var told []string
	for _, r := range outcome.Results {
		told = append(told, fmt.Sprintf("%s %d", r.Reason, r.Offset))
	}
	if got, want := strings.Join(told, ", "), "done 3, sequence 3, sequence 0, bad_request 0, bad_request 0"; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
	want := []ConfiguredChannel{{"a", command.ChannelSettings{Version: 2, LeaseMS: 2000}}, {"b", command.ChannelSettings{Version: 3, MaxAttempts: 4}}}
	if !slices.Equal(outcome.Configured, want[1:]) {
		t.Errorf("the change told of %+v", outcome.Configured)
	}
	w.reopenMeta(t)
	if start := w.applyMeta(t, true, firstLeader().Append(nil)); !slices.Equal(start.Configured, want) {
		t.Errorf("a new leader is told of %+v", start.Configured)
	}
	w.read(func(view *storage.View) {
		settings, err := ReadChannelSettings(view, "b")
		check(t, err)
		if settings != want[1].Settings {
			t.Errorf("read %+v", settings)
		}
	})
}

// TestMetaRefusesDeadLettersThatComeBack: however many channels lie on the way.
func TestMetaRefusesDeadLettersThatComeBack(t *testing.T) {
	w := newMetaWorld(t)
	set := func(channel, to string) []byte {
		return (&command.SetChannel{Channel: channel, Settings: command.ChannelSettings{DeadTo: to}}).Append(nil)
	}
	outcome := w.applyMeta(t, true, set("a", "b"), set("b", "c"), set("c", "a"), set("c", "c"), set("c", "d"), set("d", strings.Repeat("x", MaxNameBytes+1)))
	var told []string
	for _, r := range outcome.Results {
		told = append(told, r.Reason.String())
	}
	if want := []string{"done", "done", "bad_request", "bad_request", "done", "bad_request"}; !slices.Equal(told, want) {
		t.Errorf("answered %v, want %v", told, want)
	}
}

// TestMetaKeepsTenantSettings: as those of channels.
func TestMetaKeepsTenantSettings(t *testing.T) {
	w := newMetaWorld(t)
	set := func(tenant string, expect uint64, settings command.TenantSettings) []byte {
		return (&command.SetTenant{Tenant: tenant, Expect: expect, Settings: settings}).Append(nil)
	}
	w.applyMeta(t, true, set("b", 0, command.TenantSettings{Weight: 3}), set("a", 0, command.TenantSettings{Rate: 2}))
	outcome := w.applyMeta(t, true,
		set("b", 1, command.TenantSettings{Weight: 4}), set("b", 1, command.TenantSettings{Weight: 5}),
		set("c", 0, command.TenantSettings{Weight: command.MaxWeight + 1}), set("", 0, command.TenantSettings{}))
	var told []string
	for _, r := range outcome.Results {
		told = append(told, fmt.Sprintf("%s %d", r.Reason, r.Offset))
	}
	if got, want := strings.Join(told, ", "), "done 3, sequence 3, bad_request 0, bad_request 0"; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
	want := []ConfiguredTenant{{"a", command.TenantSettings{Version: 2, Rate: 2}}, {"b", command.TenantSettings{Version: 3, Weight: 4}}}
	if !slices.Equal(outcome.Tenants, want[1:]) {
		t.Errorf("the change told of %+v", outcome.Tenants)
	}
	w.reopenMeta(t)
	if start := w.applyMeta(t, true, firstLeader().Append(nil)); !slices.Equal(start.Tenants, want) {
		t.Errorf("a new leader is told of %+v", start.Tenants)
	}
	w.read(func(view *storage.View) {
		settings, err := ReadTenantSettings(view, "b")
		check(t, err)
		if settings != want[1].Settings {
			t.Errorf("read %+v", settings)
		}
	})
}

// TestMetaKeepsCredentials makes tenants and keys, revokes some and deletes a
// tenant, and reads all of it back; what changes nothing says so, and tells no new
// version.
func TestMetaKeepsCredentials(t *testing.T) {
	w := newMetaWorld(t)
	key := func(id, tenant string) []byte {
		return (&command.PutKey{Key: command.Key{
			ID: id, Tenant: tenant, Roles: command.RoleWorker, Work: []string{"a.*"}, Hash: make([]byte, 32), RevokedMS: 5,
		}}).Append(nil)
	}
	other := command.PutKey{Key: command.Key{ID: "k1", Tenant: "acme", Roles: command.RoleClient, Hash: append(make([]byte, 31), 1)}}
	tenant := func(name string) []byte { return (&command.PutTenant{Tenant: name}).Append(nil) }
	revoke := func(id, of string) []byte { return (&command.RevokeKey{ID: id, Tenant: of}).Append(nil) }
	remove := func(name string) []byte { return (&command.DeleteTenant{Tenant: name}).Append(nil) }
	for _, step := range []struct {
		what string
		send []byte
		want string
	}{
		{"a tenant", tenant("acme"), "done false"},
		{"the tenant again", tenant("acme"), "done true"},
		{"the tenant that is always there", tenant("default"), "done true"},
		{"no name", tenant(""), "bad_request false"},
		{"the name of all", tenant("*"), "bad_request false"},
		{"a key", key("k1", "acme"), "done false"},
		{"the key again", key("k1", "acme"), "done true"},
		{"another key of that id", other.Append(nil), "bad_request false"},
		{"a key of no tenant there is", key("k2", "unknown"), "not_found false"},
		{"a key of the tenant default", key("k2", "default"), "done false"},
		{"a key of all tenants", key("k3", "*"), "done false"},
		{"a key without an id", key("", "acme"), "bad_request false"},
		{"revoking another tenant's", revoke("k2", "acme"), "not_found false"},
		{"revoking what is not there", revoke("k9", "acme"), "not_found false"},
		{"revoking", revoke("k2", "default"), "done false"},
		{"revoking again", revoke("k2", ""), "done true"},
		{"deleting a tenant", remove("acme"), "done false"},
		{"deleting it again", remove("acme"), "not_found false"},
		{"deleting the tenant default", remove("default"), "bad_request false"},
	} {
		before := w.meta.credentials.Version
		result := w.applyMeta(t, true, step.send).Results[0]
		if got := fmt.Sprintf("%s %v", result.Reason, result.Duplicate); got != step.want {
			t.Errorf("%s: %s (%s), want %s", step.what, got, result.Message, step.want)
		}
		changed := w.meta.credentials.Version != before
		if changed != (step.want == "done false") {
			t.Errorf("%s: the version is %d after %d", step.what, w.meta.credentials.Version, before)
		}
	}
	kept := w.meta.credentials
	w.reopenMeta(t)
	w.read(func(view *storage.View) {
		all, err := ReadCredentials(view, 0)
		check(t, err)
		told := fmt.Sprint(all.Version, len(all.Tenants))
		for _, k := range all.Keys {
			told += fmt.Sprintf(" %s/%s/%d/%d", k.ID, k.Tenant, k.CreatedMS, k.RevokedMS)
		}
		if want := "6 0 k1/acme/1000/1000 k2/default/1000/1000 k3/*/1000/0"; told != want {
			t.Errorf("read back %s, want %s", told, want)
		}
		if !reflect.DeepEqual(all.Keys, kept.Keys) || !reflect.DeepEqual(w.meta.credentials, all) {
			t.Errorf("read back %+v, kept %+v, opened %+v", all, kept, w.meta.credentials)
		}
		if same, err := ReadCredentials(view, all.Version); err != nil || !same.Same || same.Keys != nil {
			t.Errorf("nothing changed, and read %+v, %v", same, err)
		}
	})
}

// TestMetaForgetsKeysThatEnded: what was revoked or expired long ago makes room for
// a new key, and nothing else does.
func TestMetaForgetsKeysThatEnded(t *testing.T) {
	w := newMetaWorld(t)
	put := func(id string, expires int64) []byte {
		return (&command.PutKey{Key: command.Key{
			ID: id, Tenant: "default", Roles: command.RoleClient, Hash: make([]byte, 32), ExpiresMS: expires,
		}}).Append(nil)
	}
	w.applyMeta(t, true, put("expired", 1000), put("revoked", 0), put("good", 0), put("later", 2000),
		(&command.RevokeKey{ID: "revoked"}).Append(nil))
	w.meta.timeMS = 1000 + KeyRetentionMS
	w.applyMeta(t, true, put("new", 0))
	w.reopenMeta(t)
	var left []string
	for _, key := range w.meta.credentials.Keys {
		left = append(left, key.ID)
	}
	if want := []string{"good", "later", "new"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

// TestMetaBoundsKeys: one key more than there may be is refused.
func TestMetaBoundsKeys(t *testing.T) {
	w := newMetaWorld(t)
	w.meta.credentials.Keys = make([]command.Key, MaxKeys)
	put := command.PutKey{Key: command.Key{ID: "one more", Tenant: "default", Roles: command.RoleClient, Hash: make([]byte, 32)}}
	if result := w.applyMeta(t, true, put.Append(nil)).Results[0]; result.Reason != command.TooLarge {
		t.Errorf("one key too many: %+v", result)
	}
	w.meta.credentials.Tenants = make([]command.Tenant, MaxTenants)
	if result := w.applyMeta(t, true, (&command.PutTenant{Tenant: "x"}).Append(nil)).Results[0]; result.Reason != command.TooLarge {
		t.Errorf("one tenant too many: %+v", result)
	}
}
