// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.wire;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Finds messages in a stream, whatever pieces it comes in, and to which of them descriptors belong.
 * Memory is taken for bytes that came, never for bytes that are promised.
 */
public final class MessageFramer {
  /** The longest message that is put together; more than any peer is known to negotiate. */
  public static final int MAX_MESSAGE = (64 << 20) + (64 << 10);

  private static final int SHORT = 256;

  private byte[] message = new byte[SHORT];
  private int have;
  private int needed = Header.SIZE;
  private List<MessageDescriptor> descriptors = List.of();
  private boolean isLost;
  private int lastBeginning;

  /**
   * A message that is whole, or all that came of it.
   *
   * @param bytes of the message
   * @param descriptors that belong to it
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on, and not compared
  public record Framed(byte[] bytes, List<MessageDescriptor> descriptors) {}

  /**
   * Takes the next piece of the stream.
   *
   * @param piece where it is
   * @param from where in it to begin
   * @param to where in it to end
   * @param came with the piece; the kernel ends a piece behind the bytes that brought descriptors,
   *     so they belong to the message that begins last
   * @return the messages that are whole now
   */
  public List<Framed> accept(MemorySegment piece, int from, int to, List<MessageDescriptor> came) {
    lastBeginning = 0;
    if (isLost) {
      return List.of();
    }
    var whole = new ArrayList<Framed>(1);
    int at = from;
    while (at < to) {
      if (have == 0) {
        lastBeginning = at - from;
      }
      int take = Math.min(needed - have, to - at);
      makeRoom(have + take);
      MemorySegment.copy(piece, ValueLayout.JAVA_BYTE, at, message, have, take);
      have += take;
      at += take;
      if (have < needed) {
        break;
      }
      if (needed == Header.SIZE && !measure()) {
        // What comes now cannot be told apart; the header is what there is to show.
        isLost = true;
      }
      if (have == needed) {
        whole.add(take());
        if (isLost) {
          break;
        }
      }
    }
    attach(came, whole);
    return whole;
  }

  /** The length is there: how much the message needs. */
  private boolean measure() {
    long told =
        Integer.toUnsignedLong(
            ByteBuffer.wrap(message).order(ByteOrder.nativeOrder()).getInt(2 * Short.BYTES));
    if (told > MAX_MESSAGE) {
      return false;
    }
    // A length that no header has is taken for a header alone, as peers do.
    needed = (int) Math.max(told, Header.SIZE);
    return true;
  }

  private Framed take() {
    var framed = new Framed(Arrays.copyOf(message, have), descriptors);
    descriptors = List.of();
    have = 0;
    needed = Header.SIZE;
    if (message.length > SHORT) {
      message = new byte[SHORT];
    }
    return framed;
  }

  private void makeRoom(int size) {
    if (size > message.length) {
      message =
          Arrays.copyOf(message, (int) Math.min(Math.max(size, 2L * message.length), MAX_MESSAGE));
    }
  }

  private void attach(List<MessageDescriptor> came, List<Framed> whole) {
    if (came.isEmpty()) {
      return;
    }
    if (have > 0 || whole.isEmpty()) {
      descriptors = joined(descriptors, came);
    } else {
      var last = whole.removeLast();
      whole.add(new Framed(last.bytes(), joined(last.descriptors(), came)));
    }
  }

  private static List<MessageDescriptor> joined(
      List<MessageDescriptor> first, List<MessageDescriptor> second) {
    if (first.isEmpty()) {
      return second;
    }
    var all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }

  /** Where in the last piece the last message begins; 0 where it began before. */
  public int lastBeginning() {
    return lastBeginning;
  }

  /** Whether a length came that no message has, so that nothing can be told apart any more. */
  public boolean isLost() {
    return isLost;
  }

  /** What came of a message whose rest will not come; empty where there is none. */
  public List<Framed> rest() {
    return have == 0 ? List.of() : List.of(take());
  }
}
