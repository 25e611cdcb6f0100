import Foundation
import SlipwayCore
import Testing

@Suite("Base64")
struct Base64Tests {
    @Test("the vectors of RFC 4648")
    func vectors() throws {
        let vectors = [
            "": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=",
            "foobar": "Zm9vYmFy",
        ]
        for (plain, text) in vectors {
            #expect(PayloadCodec.encodeBase64(Array(plain.utf8)) == Array(text.utf8))
            #expect(try PayloadCodec.decodeBase64(Array(text.utf8)) == Array(plain.utf8))
        }
    }

    @Test("agrees with Foundation on every length and every byte")
    func foundation() throws {
        let all = (0..<256).map { UInt8($0) }
        for count in Array(0...70) + [191, 192, 193, 256] {
            let bytes = Array((all + PayloadSamples.noise(300)).suffix(count + 44).prefix(count))
            let text = Array(Data(bytes).base64EncodedData())
            #expect(PayloadCodec.encodeBase64(bytes) == text)
            #expect(try PayloadCodec.decodeBase64(text) == bytes)
        }
        #expect(try PayloadCodec.decodeBase64(PayloadCodec.encodeBase64(all)) == all)
    }

    @Test(
        "what is not strict base64 is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z===", "====", "Zm9v\n", "Zm9vYg==\n", "Zm 9", " Zm9vYg=", "Zm9-",
            "Zm9_", "Zm9vYg==Zm8=", "Zh==", "Zm9=", "Zg=a", "Zm9v\0\0\0\0", "Zm9vé",
        ])
    func refused(_ text: String) {
        #expect(faultCode { _ = try PayloadCodec.decodeBase64(Array(text.utf8)) } == "bad-base64")
    }

    @Test("each byte outside the alphabet is refused at each place")
    func everyByte() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for byte in UInt8.min...UInt8.max where !alphabet.contains(byte) {
            for place in 0..<4 {
                var text = Array("AAAAAAAA".utf8)
                text[place] = byte
                #expect(faultCode { _ = try PayloadCodec.decodeBase64(text) } == "bad-base64")
            }
        }
    }
}
