/// Typed access to the members of a frame's header.
package struct HeaderFields {
    private let members: [String: JSONValue]

    package init(_ bytes: [UInt8]) throws(Frame.Violation) {
        do {
            guard case .object(let members) = try JSONValue(parsing: bytes) else {
                throw Frame.Violation.header("not an object")
            }
            self.members = members
        } catch let violation as Frame.Violation {
            throw violation
        } catch {
            throw .header("\(error)")
        }
    }

    init(members: [String: JSONValue]) { self.members = members }

    func string(_ name: String) throws(Frame.Violation) -> String {
        guard case .string(let text)? = members[name] else { throw .header("\(name) is not a string") }
        return text
    }

    func optionalString(_ name: String) throws(Frame.Violation) -> String? {
        switch members[name] {
        case .string(let text)?: return text
        case nil, .null?: return nil
        default: throw .header("\(name) is not a string")
        }
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(Frame.Violation) -> Int {
        guard let value = try optionalInteger(name, in: range) else { throw .header("\(name) is missing") }
        return value
    }

    func optionalInteger(_ name: String, in range: ClosedRange<Int>) throws(Frame.Violation) -> Int? {
        switch members[name] {
        case .integer(let value)?:
            guard range.contains(Int(value)) else { throw .header("\(name) is out of range") }
            return Int(value)
        case nil, .null?: return nil
        default: throw .header("\(name) is not an integer")
        }
    }

    func seconds(_ name: String) throws(Frame.Violation) -> Double? {
        switch members[name] {
        case .integer(let value)? where value >= 0: return Double(value)
        case .number(let value)? where value.isFinite && value >= 0: return value
        case nil, .null?: return nil
        default: throw .header("\(name) is not a duration in seconds")
        }
    }

    func flag(_ name: String) throws(Frame.Violation) -> Bool {
        switch members[name] {
        case .bool(let value)?: return value
        case nil, .null?: return false
        default: throw .header("\(name) is neither true nor false")
        }
    }

    func object(_ name: String) throws(Frame.Violation) -> HeaderFields? {
        switch members[name] {
        case .object(let members)?: return HeaderFields(members: members)
        case nil, .null?: return nil
        default: throw .header("\(name) is not an object")
        }
    }

    func strings(_ name: String) throws(Frame.Violation) -> [String] {
        var texts: [String] = []
        for value in try array(name) {
            guard case .string(let text) = value else { throw .header("\(name) holds something else than strings") }
            texts.append(text)
        }
        return texts
    }

    func objects(_ name: String) throws(Frame.Violation) -> [HeaderFields] {
        var fields: [HeaderFields] = []
        for value in try array(name) {
            guard case .object(let members) = value else { throw .header("\(name) holds something else than objects") }
            fields.append(HeaderFields(members: members))
        }
        return fields
    }

    private func array(_ name: String) throws(Frame.Violation) -> [JSONValue] {
        switch members[name] {
        case .array(let values)?: return values
        case nil, .null?: return []
        default: throw .header("\(name) is not an array")
        }
    }

    func reference() throws(Frame.Violation) -> TaskReference {
        let (job, nonce) = (try string("job"), try string("nonce"))
        guard (1...TaskReference.jobLimitBytes).contains(job.utf8.count), TaskReference.isNonce(nonce) else {
            throw .header("job or nonce is malformed")
        }
        return TaskReference(job: job, attempt: try integer("attempt", in: 1...1_000_000), nonce: nonce)
    }

    func references(_ name: String) throws(Frame.Violation) -> [TaskReference] {
        var references: [TaskReference] = []
        for fields in try objects(name) { references.append(try fields.reference()) }
        return references
    }

    func optionalReferences(_ name: String) throws(Frame.Violation) -> [TaskReference]? {
        switch members[name] {
        case nil, .null?: return nil
        default: return try references(name)
        }
    }
}
