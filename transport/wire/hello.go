package wire

// Hello opens a session; it is the first message of a connection.
type Hello struct {
	Token    []byte
	Tenant   []byte
	ClientID []byte
	DeviceID []byte
	Window   uint64 // Unacknowledged notifications at most; 0 leaves it to the server.
	Resume   Resume
	Ready    Tristate // No: deliver nothing before Ready.
	Name     []byte   // The client program.
	Version  []byte
}

// ResumeKind says how a hello resumes its notification stream.
type ResumeKind uint8

// The kinds of resume.
const (
	ResumeStored ResumeKind = iota // Not given: from the device's stored cursor.
	ResumeAfter                    // After Seq of Epoch.
	ResumeLive                     // From the end.
)

// Resume is where a client's notification stream goes on.
type Resume struct {
	Kind  ResumeKind
	Epoch []byte
	Seq   uint64
}

func (m *Hello) reset() { *m = Hello{} }

func (m *Hello) set(d *Decoder, field uint8) {
	switch field {
	case fieldToken:
		d.text(&m.Token, MaxTokenBytes)
	case fieldTenant:
		d.text(&m.Tenant, MaxClientIDBytes)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldDeviceID:
		d.text(&m.DeviceID, MaxDeviceIDBytes)
	case fieldWindow:
		d.uint(&m.Window)
	case fieldResume:
		d.resume(&m.Resume)
	case fieldReady:
		d.tristate(&m.Ready)
	case fieldName:
		d.text(&m.Name, MaxNameBytes)
	case fieldVersion:
		d.text(&m.Version, MaxNameBytes)
	default:
		d.ignore(field)
	}
}

func (m *Hello) check(*Decoder) {}

// resume reads "live" or an object of epoch and seq.
func (d *Decoder) resume(r *Resume) {
	const want = `must be "live" or an object of epoch and seq`
	if d.isObject() {
		d.nested(r)
		return
	}
	text, ok := d.string(want)
	switch {
	case !ok:
	case string(text) != "live":
		d.refuse(want)
	default:
		r.Kind = ResumeLive
	}
}

func (r *Resume) reset() { *r = Resume{Kind: ResumeAfter} }

func (r *Resume) set(d *Decoder, field uint8) {
	switch field {
	case fieldEpoch:
		d.text(&r.Epoch, MaxOpaqueBytes)
	case fieldSeq:
		d.uint(&r.Seq)
	default:
		d.ignore(field)
	}
}

func (r *Resume) check(d *Decoder) { d.need(fieldEpoch, fieldSeq) }

func (r *Resume) encode(e *encoder) {
	switch r.Kind {
	case ResumeAfter:
		mark := e.object(fieldResume)
		e.text(fieldEpoch, r.Epoch)
		e.uint(fieldSeq, r.Seq)
		e.endObject(mark)
	case ResumeLive:
		e.word(fieldResume, "live")
	case ResumeStored:
	}
}

// AppendHello appends m.
func AppendHello(dst Buffer, m *Hello) Buffer {
	e := open(dst, TypeHello)
	e.optText(fieldToken, m.Token)
	e.optText(fieldTenant, m.Tenant)
	e.optText(fieldClientID, m.ClientID)
	e.optText(fieldDeviceID, m.DeviceID)
	e.optUint(fieldWindow, m.Window)
	m.Resume.encode(&e)
	e.tristate(fieldReady, m.Ready)
	e.optText(fieldName, m.Name)
	e.optText(fieldVersion, m.Version)
	return e.close()
}
