/// Knows how much of a job's output was seen before a restart of the gateway.
///
/// After one the events of a job that runs on have larger numbers, and its output is told from the first byte on, in
/// other pieces.
struct RetoldOutput {
    private var sequence = 0
    private var seen: [String: Int] = [:]
    private var left: [String: Int] = [:]

    /// Takes the number of the next event.
    mutating func note(_ number: Int?) {
        guard let number else { return }
        if sequence > 0, number > sequence + 1 { left = seen }
        sequence = number
    }

    /// What is new of a piece of output.
    mutating func news(of stream: String, _ data: [UInt8]) -> ArraySlice<UInt8> {
        let known = min(left[stream, default: 0], data.count)
        if known > 0 { left[stream, default: 0] -= known }
        seen[stream, default: 0] += data.count - known
        return data[known...]
    }
}
