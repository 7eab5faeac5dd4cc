// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MessageFramerTest {
  private static final MessageDescriptor EVENT =
      new MessageDescriptor(MessageDescriptor.Kind.EVENTFD, "eventfd", OptionalLong.empty());

  private final MessageFramer framer = new MessageFramer();

  private static byte[] message(int id, int size) {
    var message = Payload.empty();
    for (int i = 16; i < size; i++) {
      message.bytes((byte) (id + i));
    }
    return message.message(id, 10, 0);
  }

  private static byte[] together(byte[]... parts) {
    int size = Arrays.stream(parts).mapToInt(part -> part.length).sum();
    var all = new byte[size];
    int at = 0;
    for (var part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  private List<MessageFramer.Framed> accept(byte[] piece, MessageDescriptor... came) {
    return framer.accept(MemorySegment.ofArray(piece), 0, piece.length, List.of(came));
  }

  @Test
  void findsMessagesWhateverPiecesTheyComeIn() {
    var random = new Random(5);
    for (int round = 0; round < 300; round++) {
      var messages = new ArrayList<byte[]>();
      for (int i = 0; i < 10; i++) {
        messages.add(message(i, 16 + random.nextInt(random.nextBoolean() ? 4 : 2000)));
      }
      var stream = together(messages.toArray(byte[][]::new));
      var found = new ArrayList<byte[]>();
      for (int at = 0; at < stream.length; ) {
        int size = Math.min(stream.length - at, 1 + random.nextInt(900));
        framer
            .accept(MemorySegment.ofArray(stream), at, at + size, List.of())
            .forEach(framed -> found.add(framed.bytes()));
        at += size;
      }
      assertThat(found).usingRecursiveComparison().isEqualTo(messages);
      assertThat(framer.rest()).isEmpty();
    }
  }

  @Test
  void givesDescriptorsToTheMessageThatBeginsLast() {
    var piece = together(message(1, 20), message(2, 40), message(3, 16));
    var whole = accept(piece, EVENT);
    assertThat(whole.stream().map(framed -> framed.descriptors().size())).containsExactly(0, 0, 1);
    assertThat(framer.lastBeginning()).isEqualTo(60);

    var begun = together(message(4, 20), Arrays.copyOf(message(5, 40), 10));
    assertThat(accept(begun, EVENT).getFirst().descriptors()).isEmpty();
    assertThat(framer.lastBeginning()).isEqualTo(20);
    assertThat(accept(Arrays.copyOfRange(message(5, 40), 10, 30), EVENT)).isEmpty();
    assertThat(framer.lastBeginning()).isZero();
    assertThat(accept(Arrays.copyOfRange(message(5, 40), 30, 40)).getFirst().descriptors())
        .hasSize(2);
  }

  @Test
  void takesALengthThatNoHeaderHasForAHeader() {
    var wrong = message(1, 16);
    Arrays.fill(wrong, 4, 8, (byte) 0);
    var whole = accept(together(wrong, message(2, 17)));
    assertThat(whole).hasSize(2);
    assertThat(whole.get(0).bytes()).hasSize(16);
    assertThat(whole.get(1).bytes()).isEqualTo(message(2, 17));
  }

  @Test
  void takesNoMemoryForWhatIsOnlyPromised() {
    var huge = message(1, 16);
    Arrays.fill(huge, 4, 8, (byte) 0xff);
    var whole = accept(together(huge, message(2, 17)));
    assertThat(whole)
        .singleElement()
        .satisfies(framed -> assertThat(framed.bytes()).isEqualTo(huge));
    assertThat(framer.isLost()).isTrue();
    assertThat(accept(message(3, 20))).isEmpty();
    assertThat(framer.rest()).isEmpty();
  }

  @Test
  void keepsWhatCameOfAMessageWithoutAnEnd() {
    assertThat(accept(Arrays.copyOf(message(1, 1000), 500))).isEmpty();
    assertThat(framer.rest())
        .singleElement()
        .satisfies(framed -> assertThat(framed.bytes()).hasSize(500));
    assertThat(accept(message(2, 30))).hasSize(1);
  }
}
