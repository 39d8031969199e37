package wire

import "testing"

func TestSmoke(t *testing.T) {
	d := NewDecoder(FromClient)
	for _, in := range []string{
		`{"type":"publish","id":7,"channel":"a.b","key":"k\u00e9","headers":{"a":"b"},"data": {"x":[1,2,{"y":null}]} }`,
		`{"type":"complete","id":7,"lease":"l","emit":[{"channel":"a","data":1},{"channel":"a b","data":1}]}`,
		`{"type":"complete","id":7,"lease":"l","emit":[{"channel":"a","data":1},{"channel":"ab","data_base64":"aGk="}],"notify":[{"name":"x","data":null}]}`,
		`{"data":1,"id":7,"channel":"x","type":"publish"}`,
		`{"data":1,"id":7,"channel":"x","type":"publishx"}`,
		`{"type":"credit","credit":-1,"subscription":"s","id":4}`,
		`{"type":"follow","id":1,"channel":"x","from":{"cursor":"x","time":4}}`,
		`{"type":"follow","id":1,"channel":"x","from":{"cursor":"x"}}`,
		`{"type":"publish","id":1,"channel":"x","data":1,"data_base64":""}`,
		`{"type":"publish","id":1,"channel":"x","data":1 2}`,
		`{"type":"renew","leases":["a",{"lease":"b","checkpoint":{"x":1}}]}`,
	} {
		var m Message
		d.Reset([]byte(in))
		err := d.Next(&m)
		t.Log(err, string(m.Append(nil)))
	}
}
