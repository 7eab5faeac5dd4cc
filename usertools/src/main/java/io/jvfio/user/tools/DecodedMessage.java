// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.linux.Errno;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * A message taken apart. What is wrong with it is told in {@link #problems}; the fields are those
 * that could be read.
 *
 * @param direction which way it went
 * @param type command or reply
 * @param id what its sender calls it; 0 where it is too short to have one
 * @param commandNumber the number of the command
 * @param command the name of the command in the specification, without {@code VFIO_USER_}
 * @param byteSize how long it is, with its header
 * @param flags the names of the flags of its header, without the type
 * @param error of a reply to a command that failed
 * @param fields in the order of the message
 * @param descriptors what came with it
 * @param problems what is not as the specification has it; empty for most
 * @param roundTripNanos of a reply: how long after the command it came
 */
public record DecodedMessage(
    MessageDirection direction,
    Type type,
    int id,
    int commandNumber,
    String command,
    long byteSize,
    List<String> flags,
    Optional<Errno> error,
    List<MessageField> fields,
    List<MessageDescriptor> descriptors,
    List<String> problems,
    OptionalLong roundTripNanos) {
  /** Copies the lists. */
  public DecodedMessage {
    flags = List.copyOf(flags);
    fields = List.copyOf(fields);
    descriptors = List.copyOf(descriptors);
    problems = List.copyOf(problems);
  }

  /** What the header says a message is. */
  public enum Type {
    /** Asks for something. */
    COMMAND("command"),
    /** Answers a command. */
    REPLY("reply"),
    /** Neither. */
    UNKNOWN("unknown");

    private final String id;

    Type(String id) {
      this.id = id;
    }

    /** Its name in text and JSON. */
    public String id() {
      return id;
    }
  }

  /**
   * All of it in one line.
   *
   * @param isWhole whether long data are given whole
   */
  public String toText(boolean isWhole) {
    var text = new StringBuilder(direction.arrow()).append(" #%04x ".formatted(id)).append(command);
    if (type != Type.COMMAND) {
      text.append(' ').append(type.id());
    }
    if (error.isPresent()) {
      text.append(' ').append(error.get().symbol());
    } else if (!flags.isEmpty()) {
      text.append(" (").append(String.join(", ", flags)).append(')');
    }
    for (var field : fields) {
      text.append(' ').append(field.text(isWhole));
    }
    if (!descriptors.isEmpty()) {
      text.append(
          descriptors.stream()
              .map(MessageDescriptor::text)
              .collect(Collectors.joining(", ", " +%d fd [".formatted(descriptors.size()), "]")));
    }
    roundTripNanos.ifPresent(nanos -> text.append(" after ").append(MessageText.duration(nanos)));
    for (var problem : problems) {
      text.append(" !! ").append(MessageText.printable(problem));
    }
    return text.toString();
  }

  /** All of it as one JSON object in one line. */
  public String toJson() {
    return MessageJson.of(this);
  }

  /** The same, with when and where it went past. */
  public String toJson(TapMessage tapped) {
    return MessageJson.of(tapped, this);
  }
}
